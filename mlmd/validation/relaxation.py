"""Relaxed positions and cells with the potential under test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE, LBFGS

from mlmd.errors import InvalidInput

CELL_STEPS, POSITION_STEPS = 500, 300
TIGHT_FORCE = 1e-4  # eV/Å: for second derivatives
FORCE = 0.01  # eV/Å: for energies of defects
_FARTHEST = 2.0  # by which factor a volume may change before it's another phase


@dataclass(frozen=True)
class Relaxed:
    """Atoms after a relaxation.

    Args:
        atoms: with the calculator.
        energy: eV.
        converged: whether the forces became as small as asked for.
    """

    atoms: Atoms
    energy: float
    converged: bool


def relax_positions(
    atoms: Atoms,
    calculator: Any,
    force: float = FORCE,
    steps: int = POSITION_STEPS,
    pause: Callable[[], None] | None = None,
) -> Relaxed:
    """Relax positions in a fixed cell.

    Args:
        atoms: left as they are.
        calculator: of the potential.
        force: largest force at the end, eV/Å.
        steps: at most so many.
        pause: called after every step; may raise to stop.

    Raises:
        InvalidInput: the energy isn't finite, or the potential refuses the positions.
    """
    moved = _with(atoms, calculator)
    # FIRE stays sound where a potential is rough; near a minimum LBFGS needs fewer steps.
    kind: Any = LBFGS if _largest_force(moved) < 1.0 else FIRE
    optimizer = kind(moved, logfile=None)
    if pause is not None:
        optimizer.attach(pause, interval=1)
    converged = bool(optimizer.run(fmax=force, steps=steps))
    return Relaxed(moved, energy_of(moved), converged)


def relax_cell(atoms: Atoms, calculator: Any, pause: Callable[[], None] | None = None) -> Relaxed:
    """Relax cell and positions until no force or stress is left.

    Args:
        atoms: left as they are.
        calculator: of the potential, with stress.
        pause: called after every step; may raise to stop.

    Raises:
        InvalidInput: the crystal falls apart or collapses.
    """
    moved = _with(atoms, calculator)
    before = moved.get_volume()
    kind: Any = LBFGS  # ASE's types know no filters
    optimizer = kind(FrechetCellFilter(moved), logfile=None, maxstep=0.05)
    if pause is not None:
        optimizer.attach(pause, interval=1)
    converged = bool(optimizer.run(fmax=TIGHT_FORCE, steps=CELL_STEPS))
    ratio = moved.get_volume() / before
    if not 1 / _FARTHEST < ratio < _FARTHEST:
        raise InvalidInput(
            moved.get_chemical_formula(),
            f"its volume changes to {ratio:.2f} of what it was when the cell is relaxed",
            "a crystal that the potential holds together",
        )
    return Relaxed(moved, energy_of(moved), converged)


def energy_of(atoms: Atoms) -> float:
    """Return the energy, eV.

    Raises:
        InvalidInput: it isn't finite.
    """
    energy = float(atoms.get_potential_energy())
    if not np.isfinite(energy):
        raise InvalidInput(
            atoms.get_chemical_formula(), f"an energy of {energy}", "a finite number of eV"
        )
    return energy


def _with(atoms: Atoms, calculator: Any) -> Atoms:
    copy: Atoms = atoms.copy()
    copy.calc = calculator
    energy_of(copy)
    return copy


def _largest_force(atoms: Atoms) -> float:
    return float(np.abs(atoms.get_forces()).max())
