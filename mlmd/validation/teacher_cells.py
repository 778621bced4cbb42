"""Defects that the teacher computed, in the teacher's own cells: the only fair reference for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.geometry import get_distances

from mlmd.frame import Frame
from mlmd.hdnnp.training.screening import group_of
from mlmd.units import EV_PER_A3_IN_GPA
from mlmd.validation.crystals import (
    VACUUM,
    atoms_of,
    energy_per_atom,
    gaps,
    is_bulk,
    one_theory,
)
from mlmd.validation.lattice import FRAME
from mlmd.validation.report import Value
from mlmd.validation.subject import RelaxedCrystal, Subject
from mlmd.validation.symmetry import same_crystal

VACANCY = "Vacancy formation energy in the teacher's cell"
SLAB = "Surface energy of the teacher's slab"
_SAME_CELL = 0.02  # by how much lattice vectors may differ, relative
_SAME_SITE = 0.8  # Å: an atom nearer to a site than that belongs to it
_MOST_SLABS = 12


def teacher_vacancies(subject: Subject, crystal: RelaxedCrystal) -> tuple[Value, ...]:
    """Return the formation energy of the teacher's most stable vacancy, of an element.

    It is a frame with one atom less than a perfect crystal of the same cell; both are computed as
    they are. E_f = E(N − 1) − (N − 1)/N · E(N).
    """
    if len(set(crystal.crystal.cell.primitive.numbers)) > 1 or not subject.frames:
        return ()
    frames = sorted(_of_composition(subject.frames, crystal), key=energy_per_atom)
    sizes = {len(frame) for frame in frames}
    known = [(frame, subject.cells.of(frame)) for frame in frames if len(frame) - 1 in sizes]
    perfect = [
        frame
        for frame, cell in known
        if cell is not None and same_crystal(cell, crystal.crystal.cell)
    ]
    found = next(
        (
            (holed, whole)
            for holed in frames
            for whole in perfect
            if len(whole) == len(holed) + 1 and _is_vacancy(holed, whole)
        ),
        None,
    )
    if found is None:
        return ()
    holed, whole = found
    count = len(holed)
    theirs = count * (energy_per_atom(holed) - energy_per_atom(whole))
    mine = subject.energy(atoms_of(holed)) - count * _own(subject, whole)
    return (Value(VACANCY, mine, "eV", theirs, FRAME, crystal.name),)


def teacher_slabs(subject: Subject, crystal: RelaxedCrystal) -> tuple[Value, ...]:
    """Return the surface energy of each kind of slab in the data, the most stable frame of each.

    γ = (E_slab − N · E_bulk/N) / 2A, the bulk being the teacher's frame of lowest energy.
    """
    teacher = crystal.crystal.teacher
    if teacher is None:
        return ()
    lowest: dict[str, tuple[float, Frame, float]] = {}
    bulk = float(teacher.energies.min())
    for frame in _of_composition(subject.frames, crystal, with_vacuum=True):
        area = _slab_area(frame)
        if area is None:
            continue
        kind = group_of(frame)
        theirs = len(frame) * (energy_per_atom(frame) - bulk) / (2 * area)
        if kind not in lowest or theirs < lowest[kind][0]:
            lowest[kind] = (theirs, frame, area)
    factor = EV_PER_A3_IN_GPA / 10  # 1 eV/Å² in J/m²
    values = []
    own_bulk = _own_bulk(subject, crystal)
    for kind, (theirs, frame, area) in sorted(lowest.items())[:_MOST_SLABS]:
        subject.pause()
        mine = (subject.energy(atoms_of(frame)) - len(frame) * own_bulk) / (2 * area)
        name = f"{crystal.name}, {kind}"
        values.append(Value(SLAB, mine * factor, "J/m²", theirs * factor, FRAME, name))
    return tuple(values)


def _of_composition(
    frames: Sequence[Frame], crystal: RelaxedCrystal, with_vacuum: bool = False
) -> list[Frame]:
    cell = crystal.crystal.cell
    return [
        frame
        for frame in (one_theory(frames) if frames else ())
        if frame.energy is not None
        and all(frame.pbc)
        and is_bulk(frame) != with_vacuum
        and cell.formula == _formula(frame)
    ]


def _formula(frame: Frame) -> str:
    return str(Atoms(frame.numbers).symbols.formula.reduce()[0].format("metal"))


def _is_vacancy(holed: Frame, whole: Frame) -> bool:
    """Return whether each atom stands near a site of its own in the perfect crystal."""
    size = float(np.abs(whole.cell).max())
    if not np.allclose(holed.cell, whole.cell, atol=_SAME_CELL * size):
        return False
    sites = whole.positions @ np.linalg.solve(whole.cell, holed.cell)
    distances = get_distances(holed.positions, sites, cell=holed.cell, pbc=True)[1]
    nearest = distances.argmin(axis=1)
    return bool(distances.min(axis=1).max() < _SAME_SITE and len(set(nearest)) == len(holed))


def _slab_area(frame: Frame) -> float | None:
    """Return the area of a slab's side, Å²; None where vacuum isn't along one direction alone."""
    wide = gaps(frame) > VACUUM
    if wide.sum() != 1:
        return None
    axis = int(np.flatnonzero(wide)[0])
    a, b = np.delete(frame.cell, axis, axis=0)
    return float(np.linalg.norm(np.cross(a, b)))


def _own(subject: Subject, frame: Frame) -> float:
    return subject.energy(atoms_of(frame)) / len(frame)


def _own_bulk(subject: Subject, crystal: RelaxedCrystal) -> float:
    """Return the potential's energy of the teacher's crystal of lowest energy, eV/atom."""
    cell = crystal.crystal.cell.primitive
    return subject.energy(cell) / len(cell)
