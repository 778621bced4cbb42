"""Time readers of vasprun.xml: ours, ASE, pymatgen and dpdata, side by side.

    python benchmarks/formats.py [--peers /path/to/python] [--rounds 2] [--small] [--json]

Makes two files in a temporary folder: molecular dynamics of 1746 atoms over 2000 steps
(455 MB), and a short relaxation whose DOS, eigenvalues and projections are nearly all of the
file (110 MB). Readers take turns, each in a process of its own, which reports its peak memory.
Peers run in the interpreter given by --peers; those not installed there are left out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from formats_files import Shape, write_vasprun

# Each takes the file's path and returns the number of frames with energy and forces.
READERS = {
    "mlmd": """
from mlmd.formats import open_frames
def read(path):
    return sum(1 for frame in open_frames(path) if frame.forces is not None)
""",
    "ASE": """
from ase.io import read as read_file
def read(path):
    return sum(1 for a in read_file(path, index=":", format="vasp-xml") if a.calc is not None)
""",
    "pymatgen": """
from pymatgen.io.vasp import Vasprun
def read(path):
    run = Vasprun(path, parse_dos=False, parse_eigen=False, parse_potcar_file=False)
    return len(run.ionic_steps)
""",
    "dpdata": """
import dpdata
def read(path):
    return dpdata.LabeledSystem(path, fmt="vasp/xml").get_nframes()
""",
}
# Imports are not timed: a long job pays them once. Processor time, since all readers use one
# thread and the machine may do other things beside.
_TIMED = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
start = time.process_time()
frames = read(sys.argv[1])
seconds = time.process_time() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print("\\n" + json.dumps({"frames": frames, "seconds": seconds, "peak_mb": peak}))
"""
FILES = {
    "dynamics": Shape(steps=2000, atoms=1746),
    "states": Shape(steps=4, atoms=64, bands=400, k_points=40, dos_points=1501),
}
SMALL = {
    "dynamics": Shape(steps=40, atoms=1746),
    "states": Shape(steps=4, atoms=16, bands=60, k_points=6, dos_points=301),
}


@dataclass(frozen=True)
class Result:
    """One reader on one file; median of processor time, largest peak of memory."""

    file: str
    megabytes: float
    reader: str
    frames: int
    seconds: float
    peak_mb: float

    @property
    def throughput(self) -> float:
        """MB/s."""
        return self.megabytes / self.seconds


def time_reader(python: str, reader: str, path: Path) -> dict[str, float] | str:
    """Run a reader once; return what it measured, or the last line of its error."""
    command = [python, "-c", READERS[reader] + _TIMED, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["killed"])[-1][:120]
    measured: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return measured


def run_file(name: str, path: Path, peers: str, rounds: int) -> list[Result]:
    """Time all readers on one file, in turns."""
    found: dict[str, list[dict[str, float]]] = {}
    failed: set[str] = set()
    for _ in range(rounds):
        for reader in READERS:
            if reader in failed:
                continue
            measured = time_reader(sys.executable if reader == "mlmd" else peers, reader, path)
            if isinstance(measured, str):
                print(f"{name}: {reader}: {measured}", file=sys.stderr)
                failed.add(reader)
            else:
                found.setdefault(reader, []).append(measured)
    size = path.stat().st_size / 1e6
    return [
        Result(
            name,
            size,
            reader,
            int(runs[0]["frames"]),
            statistics.median(r["seconds"] for r in runs),
            max(r["peak_mb"] for r in runs),
        )
        for reader, runs in found.items()
    ]


def table(results: list[Result]) -> str:
    """Return the results as the Markdown table of docs/benchmarks.md."""
    lines = [
        "| file | reader | frames | processor s | MB/s | × ASE | peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in results:
        base = next((o for o in results if o.file == r.file and o.reader == "ASE"), None)
        ratio = f"{base.seconds / r.seconds:.1f}" if base else "–"
        lines.append(
            f"| {r.file}, {r.megabytes:.0f} MB | {r.reader} | {r.frames} | {r.seconds:.2f} "
            f"| {r.throughput:.0f} | {ratio} | {r.peak_mb:.0f} MB |"
        )
    return "\n".join(lines)


def main() -> None:
    """Make the files, time the readers, print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peers", default=sys.executable, help="Python that has the peers")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="files of a few MB")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, shape in (SMALL if arguments.small else FILES).items():
            path = Path(folder) / f"{name}.xml"
            write_vasprun(path, shape)
            results += run_file(name, path, arguments.peers, arguments.rounds)
            path.unlink()
    print(json.dumps([asdict(r) for r in results]) if arguments.json else table(results))


if __name__ == "__main__":
    main()
