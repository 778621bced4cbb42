"""How fast downloads of teacher data leave the site, and what memory its server takes for them.

    python benchmarks/exports.py [--frames 20000] [--atoms 64]

Starts the site's web server on a free port with a database of its own in a temporary folder, and
downloads a dataset in every format: as a draft (written while it is sent), as a published version for
the first time (written, sent and kept) and once more (from the kept file). Sizes are of the bytes that
arrive. The memory is what a process of the server takes at most for itself, beyond what it holds before
(mapped files are the system's; SQLite's cache, 64 MB a connection, is the process's); with twice the
frames it must stay where it is.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
FORMATS = ("extxyz", "n2p2", "jsonl", "deepmd", "asedb", "csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--atoms", type=int, default=64)
    parser.add_argument("--formats", nargs="+", default=FORMATS, choices=FORMATS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(MLMD_VAR=folder, DJANGO_SETTINGS_MODULE="portal.settings")
        sys.path.insert(0, str(ROOT))
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        draft, version, secret = make(options.frames, options.atoms)
        print(
            "| format | MB | draft / MB/s | published, first / MB/s | again / MB/s | memory / MB |"
        )
        print("|---|---|---|---|---|---|")
        for file_format in options.formats:
            with server() as (address, processes):
                memory = Memory(processes)
                memory.start()
                api = f"{address}/api/v1"
                taken = [
                    fetch(f"{api}/{path}/download/{file_format}/", secret)
                    for path in (f"datasets/{draft}", *[f"versions/{version}"] * 2)
                ]
                grown = memory.end()
            size = taken[0][0] / 1e6
            rates = " | ".join(f"{count / 1e6 / seconds:.0f}" for count, seconds in taken)
            print(f"| {file_format} | {size:.0f} | {rates} | {grown:.0f} |", flush=True)


def make(count: int, atoms: int) -> tuple[str, str, str]:
    """Store equal frames as a draft and as a published version; return ids and a token."""
    from datasets.services import dataset_create, dataset_publish, frames_insert
    from labs.models import Lab, Membership, User
    from labs.services.accounts import token_create
    from mlmd.frame import Calculation, Frame

    lab = Lab.objects.create(name="Benchmark")
    owner = User.objects.create_user("benchmark@example.org", None)
    Membership.objects.create(user=owner, lab=lab, role="manager")
    random, side = np.random.default_rng(1), (20.0 * atoms) ** (1 / 3)
    calculation = Calculation(code="vasp", functional="PBE", cutoff_energy=520.0)

    numbers = np.sort(random.choice([8, 14], size=atoms)).astype(np.uint8)

    def frame(step: int) -> Frame:
        return Frame(
            numbers=numbers,
            positions=random.random((atoms, 3)) * side,
            cell=np.eye(3) * side,
            pbc=(True, True, True),
            energy=float(-5.0 * atoms + random.normal()),
            forces=random.normal(size=(atoms, 3)),
            stress=np.eye(3) * 0.01,
            ionic_step=step,
            label_source="ab initio",
            calculation=calculation,
        )

    made = []
    for name in ("Draft", "Published"):
        dataset = dataset_create(owner=owner, lab=lab, name=name)
        frames_insert(dataset=dataset, actor=owner, frames=map(frame, range(1, count + 1)))
        made.append(dataset)
    version = dataset_publish(dataset=made[1], actor=owner)
    secret = token_create(user=owner, name="benchmark", scopes=["read"])[1]
    return str(made[0].public_id), str(version.public_id), secret


class server:  # noqa: N801 - used as a context manager
    """The web server as `manage.py up` starts it, on a free port."""

    def __enter__(self) -> tuple[str, list[int]]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            bind = f"127.0.0.1:{probe.getsockname()[1]}"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "portal.wsgi", "--bind", bind),
                *("--worker-class", "gthread", "--workers", "2", "--threads", "4"),
                *("--timeout", "120", "--log-level", "error"),
            ],
            cwd=ROOT,
        )
        while True:
            time.sleep(0.1)
            try:
                with urlopen(f"http://{bind}/health/", timeout=20):
                    break
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit("the web server ended by itself") from None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return f"http://{bind}", [int(pid) for pid in children.read_text().split()]

    def __exit__(self, *_: Any) -> None:
        self.process.terminate()
        self.process.wait()


def fetch(url: str, secret: str) -> tuple[int, float]:
    """Download and return bytes and seconds."""
    request = Request(url, headers={"Authorization": f"Bearer {secret}"})  # noqa: S310
    start, count = time.perf_counter(), 0
    with urlopen(request, timeout=600) as answer:  # noqa: S310
        while chunk := answer.read(1 << 20):
            count += len(chunk)
    return count, time.perf_counter() - start


class Memory(threading.Thread):
    """Watches the memory that is the processes' own: a mapped database file is the system's.

    Args:
        processes: ids.
    """

    def __init__(self, processes: list[int]) -> None:
        super().__init__(daemon=True)
        self._files = [Path(f"/proc/{pid}/status") for pid in processes]
        self._ended = threading.Event()
        self._before = self._now()
        self.grown = 0.0

    def run(self) -> None:
        while not self._ended.wait(0.02):
            now = self._now()
            self.grown = max(self.grown, *(b - a for a, b in zip(self._before, now, strict=True)))

    def end(self) -> float:
        """Return how far the process that grew most has grown, MB."""
        self._ended.set()
        self.join()
        return self.grown

    def _now(self) -> list[float]:
        texts = (path.read_text() for path in self._files)
        return [float(text.split("RssAnon:")[1].split()[0]) * 1.024e-3 for text in texts]


if __name__ == "__main__":
    main()
