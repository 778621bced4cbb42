"""The supervisor keeps real processes alive and leaves none behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from portal.supervisor import AlreadyRunning, take_lock

PROGRAM = """
import sys
from pathlib import Path
from portal.supervisor import Service, Supervisor
folder = Path(sys.argv[1])
child = ("import os, sys, time\\n"
         "open(sys.argv[1], 'a').write(str(os.getpid()) + '\\\\n')\\n"
         "time.sleep(600)")
Supervisor(
    [Service(n, (sys.executable, "-c", child, str(folder / n))) for n in ("one", "two")],
    folder / "pids",
).run(ready=lambda: print("ready", flush=True))
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().split(")")[-1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for(condition, seconds: float = 10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"did not happen within {seconds} s")


def starts(folder: Path, name: str) -> list[int]:
    path = folder / name
    return [int(line) for line in path.read_text().split()] if path.exists() else []


@pytest.fixture
def supervisor(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    assert process.stdout.readline() == b"ready\n"
    wait_for(lambda: starts(tmp_path, "one") and starts(tmp_path, "two"))
    yield process
    if process.poll() is None:
        process.kill()
    process.stdout.close()
    process.wait()
    for name in ("one", "two"):
        for pid in starts(tmp_path, name):
            if alive(pid):
                os.kill(pid, signal.SIGKILL)


def test_a_killed_child_comes_back(supervisor, tmp_path):
    first = starts(tmp_path, "one")[0]
    os.kill(first, signal.SIGKILL)
    again = wait_for(lambda: starts(tmp_path, "one")[1:])
    assert alive(again[0])
    assert len(starts(tmp_path, "two")) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_every_child(supervisor, tmp_path, number):
    supervisor.send_signal(number)
    assert supervisor.wait(15) == 0
    for name in ("one", "two"):
        assert not any(alive(pid) for pid in starts(tmp_path, name))
    assert not (tmp_path / "pids").exists()


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child of its parent's death"
)
def test_children_end_when_the_supervisor_is_killed(supervisor, tmp_path):
    supervisor.kill()
    wait_for(lambda: not any(alive(p) for n in ("one", "two") for p in starts(tmp_path, n)))


def test_two_supervisors_never_share_a_folder(tmp_path):
    with take_lock(tmp_path / "lock"), pytest.raises(AlreadyRunning):
        take_lock(tmp_path / "lock")
    take_lock(tmp_path / "lock").close()
