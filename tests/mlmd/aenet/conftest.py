"""Potentials for tests, and aenet's programs: the real ones where they are on PATH, and a stand-in."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from mlmd.external.programs import Programs
from mlmd.hdnnp.potential import (
    Activation,
    ElementNetwork,
    Potential,
    Scaling,
    SymmetryFunction,
)

NAMES = ("generate.x", "train.x", "predict.x")
STAND_IN = Path(__file__).with_name("stand_in.py")


@pytest.fixture
def small_hdnnp() -> Potential:
    functions = (SymmetryFunction(2, "H", ("H",), 1.0, 0.0, 0.0, 0.0, 2.0),)
    network = ElementNetwork((np.ones((1, 1)),), (np.zeros(1),), (Activation.LINEAR,))
    scaling = Scaling(np.zeros(1), np.ones(1), np.zeros(1), np.ones(1))
    return Potential(("H",), {"H": functions}, {"H": scaling}, {"H": network})


def write_stand_in(folder: Path, **environment: str) -> Path:
    """Fill a folder with programs of aenet's names that run the stand-in.

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
    """Programs that write aenet's files without its physics."""
    return Programs(write_stand_in(tmp_path / "bin"))


@pytest.fixture
def real_programs() -> Programs:
    """aenet itself. No distribution has it as a package, so CI doesn't install it."""
    missing = [name for name in NAMES if shutil.which(name) is None]
    if missing:
        pytest.skip(f"{missing[0]} isn't on PATH: aenet itself can't be run")
    return Programs()
