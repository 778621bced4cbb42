"""n2p2's programs: the real ones where they are on PATH, and a stand-in."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from mlmd.n2p2 import Programs

NAMES = ("nnp-norm", "nnp-scaling", "nnp-train", "nnp-dataset", "nnp-predict")
STAND_IN = Path(__file__).with_name("stand_in.py")


def write_stand_in(folder: Path, **environment: str) -> Path:
    """Fill a folder with programs of n2p2's names that run the stand-in.

    Args:
        folder: made where it doesn't exist.
        **environment: what the stand-in is told; a job machine keeps its own variables back.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        path = folder / name
        told = "".join(f"export {word}={value}\n" for word, value in environment.items())
        call = f'exec "{sys.executable}" -S "{STAND_IN}" {name} "$@"'
        path.write_text(f"#!/bin/sh\n{told}{call}\n")
        path.chmod(0o755)
    return folder


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """Programs that write n2p2's files without its physics."""
    return Programs(write_stand_in(tmp_path / "bin"))


@pytest.fixture
def real_programs() -> Programs:
    """n2p2 itself. No distribution has it as a package, so CI doesn't install it."""
    missing = [name for name in NAMES if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} isn't on PATH: n2p2 itself can't be run")
    return Programs()
