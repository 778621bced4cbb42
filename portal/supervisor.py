"""Keeps a few processes alive: restarts what crashes, stops all of them in order."""

from __future__ import annotations

import ctypes
import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

log = logging.getLogger(__name__)

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # s between a crash and the restart
HEALTHY_AFTER = 20.0  # s of life after which the next crash counts as the first
GRACE = 20.0  # s between TERM and KILL


class AlreadyRunning(Exception):
    """Another supervisor works on the same folder."""


@dataclass(frozen=True)
class Service:
    """A process to keep alive."""

    name: str
    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class _Child:
    service: Service
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    delay: float = FIRST_DELAY
    start_at: float = 0.0


def die_with_parent() -> None:
    """Ask Linux to send TERM when the parent dies; other systems rely on `stop_leftovers`."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def take_lock(path: Path) -> IO[str]:
    """Hold `path` for as long as the returned file stays open.

    Raises:
        AlreadyRunning: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = path.open("a+")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        stream.close()
        raise AlreadyRunning(str(path)) from error
    return stream


class Supervisor:
    """Runs services until `stop` or a TERM/INT signal.

    Args:
        services: what to keep alive, started in this order.
        pids: file that lists the children, so that a later start can end what a killed
            supervisor left behind.
        say: takes one line for the person at the terminal.
    """

    def __init__(
        self, services: list[Service], pids: Path, say: Callable[[str], object] = print
    ) -> None:
        self._children = [_Child(service) for service in services]
        self._pids = pids
        self._say = say
        self._stopping = False

    def run(self, ready: Callable[[], object] | None = None) -> None:
        """Start everything, call `ready` once after the first round, and watch until stopped."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        stop_leftovers(self._pids)
        try:
            while not self._stopping:
                self._tend()
                if ready:
                    ready()
                    ready = None
                time.sleep(0.1)
        finally:
            self._end_all()

    def stop(self) -> None:
        self._stopping = True

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True

    def _tend(self) -> None:
        changed = False
        for child in self._children:
            if child.process and (code := child.process.poll()) is not None:
                self._note_exit(child, code)
                changed = True
            if child.process is None and time.monotonic() >= child.start_at:
                self._start(child)
                changed = True
        if changed:
            self._write_pids()

    def _start(self, child: _Child) -> None:
        # An own session: Ctrl-C at the terminal reaches the supervisor only.
        child.process = subprocess.Popen(  # noqa: S603 - argv comes from our own code
            child.service.argv,
            env={**os.environ, **child.service.environment},
            preexec_fn=die_with_parent,
            start_new_session=True,
        )
        child.started = time.monotonic()

    def _note_exit(self, child: _Child, code: int) -> None:
        if time.monotonic() - child.started > HEALTHY_AFTER:
            child.delay = FIRST_DELAY
        self._say(f"{child.service.name} ended (code {code}); starting again in {child.delay:g} s")
        child.process = None
        child.start_at = time.monotonic() + child.delay
        child.delay = min(LONGEST_DELAY, child.delay * 2)

    def _write_pids(self) -> None:
        lines = [
            f"{child.process.pid} {process_start(child.process.pid)}"
            for child in self._children
            if child.process
        ]
        draft = self._pids.with_suffix(".part")
        draft.write_text("\n".join(lines))
        draft.replace(self._pids)

    def _end_all(self) -> None:
        running = [child.process for child in self._children if child.process]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + GRACE
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _kill_group(process.pid)
                process.wait()
        self._pids.unlink(missing_ok=True)


def process_start(pid: int) -> str:
    """Return when a process started, as `ps` prints it; empty when there is none.

    With the pid it names one process for good: pids are reused, start times are not.
    """
    answer = subprocess.run(  # noqa: S603
        ["ps", "-o", "lstart=", "-p", str(pid)],  # noqa: S607 - ps is where the system puts it
        capture_output=True,
        text=True,
        check=False,
    )
    return " ".join(answer.stdout.split())


def stop_leftovers(pids: Path) -> None:
    """End the children of a supervisor that was killed before it could."""
    if not pids.exists():
        return
    for line in pids.read_text().splitlines():
        pid, _, started = line.partition(" ")
        if started and process_start(int(pid)) == started:
            log.warning("process %s was left behind by an earlier start; ending it", pid)
            _kill_group(int(pid))
    pids.unlink(missing_ok=True)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        log.debug("process group %s had already ended", pid)
