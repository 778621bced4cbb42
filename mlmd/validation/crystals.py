"""The crystals that a potential is tried on, found in the data it was made from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from mlmd.documents import compat_key
from mlmd.documents.formula import element_counts, formula_reduced
from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray, Frame
from mlmd.structure import build_bulk
from mlmd.validation.report import MaterialSummary
from mlmd.validation.symmetry import LOOSE, StandardCell, same_crystal, standard_cell

TEACHER, ELEMENT = "teacher data", "reference state of the element"
_SAME_ENERGY = 0.005  # eV/atom: a smaller cell is preferred to an energy this much lower
_MOST_ATOMS = 1000  # of a frame whose symmetry is looked for
_CALM = 0.05  # eV/Å: forces of a relaxed crystal
_STRAINED = 1.0  # eV/Å: forces of a crystal whose cell alone was scaled
_PRECISION = 0.01  # Å: of relaxed coordinates in a file
VACUUM = 6.0  # Å: a wider gap is a surface or a molecule in a box; layered crystals have less


@dataclass(frozen=True)
class TeacherCurve:
    """The same crystal at several volumes, as the teacher has it.

    Args:
        volumes: ascending, shape (P,), Å³/atom.
        energies: shape (P,), eV/atom.
        best: the frame of lowest energy in its standard cell.
    """

    volumes: FloatArray
    energies: FloatArray
    best: StandardCell


@dataclass(frozen=True)
class Crystal:
    """A crystal to look at.

    Args:
        cell: as the data have it.
        source: `TEACHER` or `ELEMENT`.
        teacher: its energies at several volumes; None where the data have none.
    """

    cell: StandardCell
    source: str
    teacher: TeacherCurve | None = None

    @property
    def name(self) -> str:
        """How values and plots call it."""
        return self.cell.name

    def summary(self) -> MaterialSummary:
        """Return what a report says of it."""
        return MaterialSummary(
            self.name,
            self.cell.formula,
            f"{self.cell.symbol} ({self.cell.number})",
            len(self.cell.primitive),
            self.source,
        )


@dataclass(frozen=True)
class Found:
    """Crystals, and sentences on compositions without one."""

    crystals: tuple[Crystal, ...]
    remarks: tuple[str, ...]


class FrameCells:
    """Standard cells of frames, each determined once: for hundreds of atoms that takes a while."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Frame, StandardCell | None]] = {}

    def of(self, frame: Frame) -> StandardCell | None:
        """Return the frame's crystal to the precision of files, None where it has none."""
        # The frame is kept with its cell, so that no other can take its place in memory.
        if id(frame) not in self._known:
            self._known[id(frame)] = frame, self._find(frame)
        return self._known[id(frame)][1]

    def _find(self, frame: Frame) -> StandardCell | None:
        if len(frame) > _MOST_ATOMS:
            return None
        try:
            return standard_cell(atoms_of(frame), _PRECISION)
        except InvalidInput:
            return None  # atoms too close for a symmetry: no crystal


def find_crystals(
    frames: Sequence[Frame],
    elements: Sequence[str],
    largest: int,
    most: int,
    settle: Callable[[Atoms], Atoms],
    cells: FrameCells | None = None,
) -> Found:
    """Return the most stable crystal of each composition in the data.

    Of each composition the frame of lowest energy counts, or a smaller one hardly above it. A
    potential of one element that has no data gets the element's own crystal.

    Args:
        frames: teacher data.
        elements: of the potential.
        largest: primitive cells with more atoms are left out.
        most: so many, the smallest first.
        settle: relaxes positions, for frames that are all in thermal motion.
        cells: of frames, where others ask for them too.
    """
    cells = cells or FrameCells()
    if not frames and len(elements) == 1:
        return _reference_state(elements[0])
    if not frames:
        return Found((), ("No teacher data were given to take crystals from.",))
    groups: dict[str, list[Frame]] = defaultdict(list)
    for frame in one_theory(frames):
        if is_bulk(frame):
            groups[formula_reduced(element_counts(frame.numbers))].append(frame)
    if not groups:
        remark = "The teacher data hold no crystals: all are molecules, clusters or surfaces."
        return Found((), (remark,))
    crystals, remarks = [], []
    for group in groups.values():
        try:
            crystals.append(_crystal(group, largest, settle, cells))
        except InvalidInput as error:
            remarks.append(f"{error.where}: {error.found}.")
    crystals.sort(key=lambda crystal: len(crystal.cell.primitive))
    remarks += [f"{c.name}: left out, {most} crystals are the limit." for c in crystals[most:]]
    return Found(tuple(crystals[:most]), tuple(remarks))


def atoms_of(frame: Frame) -> Atoms:
    """Return the bare atoms of a frame."""
    return Atoms(numbers=frame.numbers, positions=frame.positions, cell=frame.cell, pbc=frame.pbc)


def is_bulk(frame: Frame) -> bool:
    """Return whether a frame with an energy fills space: periodic, and without vacuum."""
    if frame.energy is None or not all(frame.pbc) or abs(np.linalg.det(frame.cell)) < 1e-6:
        return False
    return bool(gaps(frame).max() < VACUUM)


def gaps(frame: Frame) -> FloatArray:
    """Return the widest layer without atoms across each lattice direction, shape (3,), Å.

    A single atom's gap is its cell.
    """
    fractions = np.sort(np.linalg.solve(frame.cell.T, frame.positions.T).T % 1.0, axis=0)
    empty = np.diff(fractions, axis=0, append=fractions[:1] + 1.0).max(axis=0)
    return np.asarray(empty / np.linalg.norm(np.linalg.inv(frame.cell), axis=0))


def one_theory(frames: Iterable[Frame]) -> list[Frame]:
    """Return the frames of the most frequent level of theory: others' energies don't compare."""
    keys = [compat_key(frame.calculation) for frame in frames]
    common = Counter(keys).most_common(1)[0][0]
    return [frame for frame, key in zip(frames, keys, strict=True) if key == common]


def _crystal(
    group: list[Frame], largest: int, settle: Callable[[Atoms], Atoms], cells: FrameCells
) -> Crystal:
    lowest = min(energy_per_atom(frame) for frame in group)
    near = [frame for frame in group if energy_per_atom(frame) < lowest + _SAME_ENERGY]
    chosen = min(near, key=lambda frame: (len(frame), energy_per_atom(frame)))
    cell = _symmetric(chosen, settle)
    if len(cell.primitive) > largest:
        raise InvalidInput(
            cell.formula,
            f"its frame of lowest energy has no cell below {len(cell.primitive)} atoms: it is a "
            "liquid, a glass or a large crystal",
            f"a crystal of at most {largest} atoms",
        )
    return Crystal(cell, TEACHER, _curve(group, chosen, cell, cells))


def _symmetric(frame: Frame, settle: Callable[[Atoms], Atoms]) -> StandardCell:
    """Return the crystal behind a frame, which thermal motion may hide."""
    atoms = atoms_of(frame)
    found = standard_cell(atoms, _PRECISION)
    if found.number > 1 or len(frame) == 1 or largest_force(frame) < _CALM:
        return found
    for precision in (LOOSE, 2 * LOOSE):
        found = standard_cell(atoms, precision)
        if found.number > 1:
            return found
    return standard_cell(settle(atoms), LOOSE)


def _curve(
    group: list[Frame], chosen: Frame, cell: StandardCell, cells: FrameCells
) -> TeacherCurve:
    found: dict[float, tuple[float, float]] = {}
    for frame in group:
        # Other cells have other k-points, and with them slightly other energies.
        calm = frame.forces is None or largest_force(frame) < _STRAINED
        if len(frame) == len(chosen) and (frame is chosen or calm):
            other = cells.of(frame)
            if frame is chosen or (other is not None and same_crystal(cell, other)):
                volume = abs(float(np.linalg.det(frame.cell))) / len(frame)
                place = round(volume, 4)
                found[place] = min(
                    found.get(place, (volume, np.inf)), (volume, energy_per_atom(frame))
                )
    volumes, energies = np.array(sorted(found.values())).T
    return TeacherCurve(volumes, energies, cell)


def _reference_state(element: str) -> Found:
    try:
        atoms = build_bulk([element])
    except InvalidInput:
        remark = f"{element} has no simple crystal as its reference state."
        return Found((), (f"No teacher data were given, and {remark}",))
    return Found((Crystal(standard_cell(atoms), ELEMENT),), ())


def energy_per_atom(frame: Frame) -> float:
    """Return the energy, eV/atom; NaN where the frame has none."""
    return np.nan if frame.energy is None else frame.energy / len(frame)


def largest_force(frame: Frame) -> float:
    """Return the largest component of a force, eV/Å; infinity where the frame has none."""
    return np.inf if frame.forces is None else float(np.abs(frame.forces).max())
