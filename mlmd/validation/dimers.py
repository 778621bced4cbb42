"""Two atoms alone, at every distance."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols, covalent_radii

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray, Frame
from mlmd.validation.lattice import POTENTIAL, TEACHER
from mlmd.validation.report import Plot, Value, line, points
from mlmd.validation.subject import Findings, Skipped, Subject, join

CURVE = "Energy of a dimer"
BOND, DEPTH, REPULSIVE = "Bond length", "Binding energy", "Repulsive down to"
DATA = "teacher's dimers"
Pair = tuple[str, str]
_ALONE = 5.0  # Å: between periodic images of a teacher's dimer or atom
_HIGHEST = 25.0  # eV: what lies above isn't drawn
_CLOSEST = 0.4  # of the sum of covalent radii: where the curve begins
_TOO_CLOSE = 0.75  # of that sum: attraction below it worries nobody above
_MOST_PAIRS = 15


@dataclass(frozen=True)
class Dimers:
    """The teacher's dimers of one pair.

    Args:
        distances: ascending, shape (P,), Å.
        energies: eV, from free atoms where ``from_free_atoms``.
        from_free_atoms: whether the data hold both free atoms.
    """

    distances: FloatArray
    energies: FloatArray
    from_free_atoms: bool


def check_dimers(subject: Subject) -> Findings:
    """Follow the energy of every pair of elements from contact to the cutoff."""
    pairs = list(itertools.combinations_with_replacement(subject.elements, 2))
    teacher = teacher_dimers(subject.frames)
    parts = []
    for pair in pairs[:_MOST_PAIRS]:
        subject.pause()
        parts.append(_look(subject, pair, teacher.get(pair) or teacher.get(pair[::-1])))
    notes = []
    if len(pairs) > _MOST_PAIRS:
        notes.append(f"{len(pairs) - _MOST_PAIRS} further pairs of elements were left out.")
    if not teacher:
        notes.append(
            "The teacher data hold no isolated dimers: the curves show how the potential continues "
            "beyond its data."
        )
    if not parts:
        raise Skipped("The potential knows no elements.")
    return join(parts, notes)


def teacher_dimers(frames: Sequence[Frame]) -> dict[Pair, Dimers]:
    """Return the isolated dimers among frames by pair of elements."""
    free: dict[str, float] = {}
    found: dict[Pair, list[tuple[float, float]]] = defaultdict(list)
    for frame in frames:
        if frame.energy is None or len(frame) > 2 or not _is_alone(frame):
            continue
        symbols = [chemical_symbols[z] for z in frame.numbers]
        if len(symbols) == 1:
            free[symbols[0]] = min(frame.energy, free.get(symbols[0], np.inf))
        else:
            first, second = sorted(symbols, key=lambda symbol: atomic_numbers[symbol])
            found[first, second].append((_distance(frame), frame.energy))
    result = {}
    for pair, rows in found.items():
        distances, energies = np.array(sorted(rows)).T
        known = all(element in free for element in pair)
        zero = sum(free[element] for element in pair) if known else 0.0
        result[pair] = Dimers(distances, energies - zero, known)
    return result


def _look(subject: Subject, pair: Pair, teacher: Dimers | None) -> Findings:
    name = "–".join(pair)
    contact = sum(float(covalent_radii[atomic_numbers[element]]) for element in pair)
    distances = np.linspace(_CLOSEST * contact, subject.cutoff, subject.settings.dimer_points)
    energies = _curve(subject, pair, distances)
    shown = np.abs(energies) < _HIGHEST
    series = [line(POTENTIAL, distances[shown], energies[shown])]
    notes = []
    theirs: tuple[float | None, float | None] = (None, None)
    if teacher is not None:
        shift = 0.0
        if not teacher.from_free_atoms:
            shift = _curve(subject, pair, teacher.distances[-1:])[0] - teacher.energies[-1]
            notes.append(
                f"{name}: the data hold no free atoms; the teacher's curve is shifted to meet the "
                f"potential's at {teacher.distances[-1]:.2f} Å."
            )
        reference = teacher.energies + shift
        low = reference < _HIGHEST
        series.append(points(TEACHER, teacher.distances[low], reference[low]))
        theirs = _minimum(teacher.distances, reference)
        if not teacher.from_free_atoms:
            theirs = (theirs[0], None)
    bond, depth = _minimum(distances, energies)
    source = [DATA if number is not None else "" for number in theirs]
    turn = _turning_point(distances, energies, bond or contact)
    if turn > _TOO_CLOSE * contact:
        notes.append(
            f"{name}: closer than {turn:.2f} Å the energy falls again: atoms that come so close fall "
            "into each other. Add such pairs to the data, or a short-range repulsion (ZBL)."
        )
    values = (
        Value(BOND, bond, "Å", theirs[0], source[0], name),
        Value(DEPTH, depth, "eV", theirs[1], source[1], name),
        Value(REPULSIVE, turn, "Å", subject=name),
    )
    plot = Plot("dimer", CURVE, "distance (Å)", "energy (eV)", tuple(series), subject=name)
    return Findings(values, (plot,), notes=tuple(notes))


def _curve(subject: Subject, pair: Pair, distances: FloatArray) -> FloatArray:
    free = sum(subject.energy(Atoms(element)) for element in pair)
    energies = [
        subject.energy(Atoms(list(pair), [[0, 0, 0], [float(r), 0, 0]])) - free for r in distances
    ]
    if not np.all(np.isfinite(energies)):
        raise InvalidInput("–".join(pair), "an energy that isn't finite", "finite ones")
    return np.array(energies)


def _minimum(distances: FloatArray, energies: FloatArray) -> tuple[float | None, float | None]:
    """Return bond length and depth from a polynomial through the points around the lowest."""
    inner = np.arange(1, len(energies) - 1)
    wells = inner[
        (energies[inner] < energies[inner - 1]) & (energies[inner] <= energies[inner + 1])
    ]
    if not len(wells):
        return None, None
    k = int(wells[np.argmin(energies[wells])])
    around = slice(max(0, k - 2), k + 3)
    x, y = distances[around], energies[around]
    curve = np.polynomial.Polynomial.fit(x, y, min(4, len(x) - 1))
    roots = curve.deriv().roots()
    real = roots.real[np.abs(roots.imag) < 1e-9]
    inside = real[(real >= distances[k - 1]) & (real <= distances[k + 1])]
    bottom = float(min(inside, key=curve)) if len(inside) else float(distances[k])
    return bottom, -float(curve(bottom))


def _turning_point(distances: FloatArray, energies: FloatArray, start: float) -> float:
    """Return the distance down to which the energy rises as atoms approach."""
    k = max(0, int(np.searchsorted(distances, start)) - 1)
    while k > 0 and energies[k - 1] > energies[k] - 1e-9:
        k -= 1
    return float(distances[k])


def _distance(frame: Frame) -> float:
    atoms = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)
    return float(atoms.get_distance(0, 1, mic=True))


def _is_alone(frame: Frame) -> bool:
    if not any(frame.pbc):
        return True
    if abs(np.linalg.det(frame.cell)) < 1e-6:
        return False
    widths = 1.0 / np.linalg.norm(np.linalg.inv(frame.cell), axis=0)
    size = 0.0 if len(frame) == 1 else _distance(frame)
    return bool((widths[list(frame.pbc)] - size).min() > _ALONE)
