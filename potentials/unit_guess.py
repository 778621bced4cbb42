"""Guesses the units of a potential whose files don't say them, and says why.

n2p2 keeps the units of the data it was given and writes none down. The sure way is to let the
potential answer frames whose forces are known; without frames, the cutoff tells something.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers
from django.utils.translation import gettext as _

from labs.templatetags.mlmd_tags import digits
from mlmd.errors import MlmdError
from mlmd.frame import Frame
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import AssumedUnits, load_potential
from mlmd.hdnnp.potential import Potential, Units
from mlmd.units import BOHR
from potentials.families.reading import written

LENGTHS, ENERGIES = ("angstrom", "bohr"), ("ev", "hartree", "rydberg")
SYMBOLS = {"angstrom": "Å", "bohr": "bohr", "ev": "eV", "hartree": "hartree", "rydberg": "rydberg"}
LONG_CUTOFF = 8.5  # longer than the cutoffs of such potentials usually are, Å
MOST_FRAMES = 5
LEAST_FORCE = 0.01  # eV/Å, the largest of a frame: a crystal at rest tells nothing
MOST_LOOKED_AT = 500  # frames, until enough have forces that tell something
MOST_ATOMS = 300  # of a frame: six evaluations each have to be quick


@dataclass(frozen=True)
class Guess:
    """The units that files most probably have.

    Args:
        length: ``"angstrom"`` or ``"bohr"``.
        energy: ``"ev"``, ``"hartree"`` or ``"rydberg"``.
        why: one or two sentences.
    """

    length: str
    energy: str
    why: str


def guess_units(files: Mapping[str, bytes], frames: Iterable[Frame] = ()) -> Guess:
    """Guess the units of n2p2's files.

    Args:
        files: of the potential, name → content, without ``units.json``.
        frames: with forces; a few are tried in each unit.

    Raises:
        mlmd.errors.InvalidInput: the files don't make a potential.
    """
    with written(files) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumedUnits)
        potential = load_potential(Path(folder))
    usable = _usable(potential, frames)
    return _by_forces(potential, usable) if usable else _by_cutoff(potential)


def _usable(potential: Potential, frames: Iterable[Frame]) -> list[Frame]:
    known = {atomic_numbers[symbol] for symbol in potential.elements}
    found = []
    for frame in islice(frames, MOST_LOOKED_AT):
        has_forces = frame.forces is not None and float(np.abs(frame.forces).max()) > LEAST_FORCE
        if has_forces and len(frame.numbers) <= MOST_ATOMS and set(frame.numbers.tolist()) <= known:
            found.append(frame)
            if len(found) == MOST_FRAMES:
                break
    return found


def _by_forces(potential: Potential, frames: list[Frame]) -> Guess:
    errors = {
        pair: _force_error(replace(potential, units=Units(*pair)), frames)
        for pair in product(LENGTHS, ENERGIES)
    }
    (best, error), (_second, other) = sorted(errors.items(), key=lambda item: item[1])[:2]
    why = _(
        "With %(best)s its forces on %(count)d frames of the chosen data are within "
        "%(error)s eV/Å of the teacher's; with any other units at best within %(other)s eV/Å."
    ) % {
        "best": _pair(*best),
        "count": len(frames),
        "error": digits(error, 2),
        "other": digits(other, 2),
    }
    return Guess(*best, why)


def _force_error(potential: Potential, frames: list[Frame]) -> float:
    """Return the RMSE of the forces, eV/Å; infinite where it can't be evaluated."""
    evaluator = Evaluator(potential, threads=1)
    total, count = 0.0, 0
    for frame in frames:
        try:
            found = evaluator.compute(frame.numbers, frame.positions, frame.cell, frame.pbc)
        except MlmdError:
            return float("inf")
        total += float(((found.forces - frame.forces) ** 2).sum())
        count += found.forces.size
    return float(np.sqrt(total / count))


def _by_cutoff(potential: Potential) -> Guess:
    cutoff = potential.cutoff_radius  # read as Å: nothing said otherwise
    if cutoff > LONG_CUTOFF:
        why = _(
            "The largest cutoff is %(cutoff)s: unusually long in Å, usual in bohr (%(short)s Å), "
            "and data in bohr are mostly in hartree. Choose teacher data to be surer."
        ) % {"cutoff": digits(cutoff, 3), "short": digits(cutoff * BOHR, 3)}
        return Guess("bohr", "hartree", why)
    why = _(
        "The largest cutoff is %(cutoff)s: usual in Å, unusually short in bohr (%(short)s Å), "
        "and data in Å are mostly in eV. Choose teacher data to be surer."
    ) % {"cutoff": digits(cutoff, 3), "short": digits(cutoff * BOHR, 3)}
    return Guess("angstrom", "ev", why)


def _pair(length: str, energy: str) -> str:
    return _("%(length)s and %(energy)s") % {"length": SYMBOLS[length], "energy": SYMBOLS[energy]}
