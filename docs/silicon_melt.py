"""Runs docs/notebook.md, with the bundled silicon as its VASP runs, and draws its picture.

    python docs/silicon_melt.py

Prints what each block of the page prints; takes some minutes.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

import matplotlib  # noqa: E402

from mlmd.data import molten_silicon_frames, silicon_frames  # noqa: E402
from tests.mlmd.formats.vasprun_frames import vasprun_of  # noqa: E402

PAGE = REPOSITORY / "docs" / "notebook.md"
PICTURE = REPOSITORY / "docs" / "images" / "silicon-melt.png"


def blocks() -> list[str]:
    """Return the page's blocks of Python, in order."""
    return re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


def write_runs(folder: Path) -> None:
    """Write the bundled frames as a folder of VASP runs."""
    for number, frame in enumerate(silicon_frames() + molten_silicon_frames()):
        place = folder / f"{number:03d}"
        place.mkdir(parents=True)
        (place / "vasprun.xml").write_text(vasprun_of([frame]), encoding="utf-8")


def main() -> None:
    matplotlib.use("Agg")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_runs(Path("runs"))
        names: dict[str, object] = {}
        for block in blocks():
            begun = time.perf_counter()
            exec(block, names)  # noqa: S102 - our own page
            print(f"--- {time.perf_counter() - begun:.0f} s", flush=True)
        PICTURE.write_bytes(Path("rdf.png").read_bytes())


if __name__ == "__main__":
    main()
