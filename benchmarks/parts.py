"""What a batch costs beside its calculations: `python benchmarks/parts.py [--parts 1000]`.

Writes the script of a run whose parts do nothing, once as a plain run and once as an array of three,
starts it with a real shell and prints the time a part takes. Arrays are told their number by the
variables that Slurm sets.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import django

# In place of this folder, whose jobs.py hides the package.
sys.path[0] = str(Path(__file__).resolve().parent.parent)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

from jobs.schedulers import SCHEDULERS  # noqa: E402
from jobs.script import compose  # noqa: E402
from mlmd.launch import Command, Launch, Part, Resources  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", type=int, default=1000)
    count = parser.parse_args().parts
    print(f"{'lanes':<24}{'script':>10}{'time':>9}{'a part':>10}")
    for name, scheduler, lanes in (
        ("one", "direct", 1),
        ("three children", "direct", 3),
        ("an array of three", "slurm", 3),
    ):
        size, seconds = measure(scheduler, lanes, count)
        each = 1000 * seconds / count
        print(f"{name:<24}{size / 1024:>7.0f} KiB{seconds:>7.1f} s{each:>7.1f} ms")


def measure(scheduler: str, lanes: int, count: int) -> tuple[int, float]:
    """Return the bytes of the script and the seconds that it took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = []
        for number in range(count):
            (folder / f"{number:04d}").mkdir()
            parts.append(Part(f"{number:04d}", (Command(("sh", "-c", ":")),)))
        launch = Launch((), (), resources=Resources(at_once=lanes), parts=tuple(parts))
        text = compose(launch, SCHEDULERS[scheduler], {}, name="parts", folder=name, token="0" * 32)
        (folder / "job.sh").write_text(text)
        elements = range(lanes) if scheduler == "slurm" else (0,)
        begun = time.perf_counter()
        working = [
            subprocess.Popen(
                ["sh", "job.sh"],
                cwd=folder,
                env={
                    **os.environ,
                    "SLURM_ARRAY_JOB_ID": "1",
                    "SLURM_ARRAY_TASK_ID": str(element),
                },
            )
            for element in elements
        ]
        codes = [process.wait() for process in working]
        seconds = time.perf_counter() - begun
        ended = len(list(folder.glob("*/exit.json")))
        if any(codes) or ended != count:
            raise SystemExit(f"{ended} of {count} parts ended; statuses {codes}")
        return len(text), seconds


if __name__ == "__main__":
    main()
