"""Lattice constants of the relaxed crystal, and its energy against its volume."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.validation.crystals import TeacherCurve
from mlmd.validation.equation_of_state import (
    LEAST_POINTS,
    EquationOfState,
    fit_birch_murnaghan,
)
from mlmd.validation.relaxation import energy_of, relax_positions
from mlmd.validation.report import Plot, Value, line, points
from mlmd.validation.subject import Findings, RelaxedCrystal, Subject
from mlmd.validation.symmetry import StandardCell

FRAME, FIT = "teacher's lowest frame", "fit to the teacher's energies"
# A third-order equation of state holds near the minimum only.
_FIT_RANGE = 0.08
_LENGTHS = {
    "cubic": "a",
    "hexagonal": "ac",
    "trigonal": "ac",
    "tetragonal": "ac",
    "orthorhombic": "abc",
    "monoclinic": "abcβ",
    "triclinic": "abcαβγ",
}
_PLACES = {"a": 0, "b": 1, "c": 2, "α": 3, "β": 4, "γ": 5}
LATTICE_LABELS = {name: f"Lattice constant {name}" for name in "abc"} | {
    name: f"Lattice angle {name}" for name in "αβγ"
}
VOLUME, CRYSTAL_ENERGY = "Volume per atom", "Energy per atom"
MINIMUM, BULK, DERIVATIVE = "Volume V₀ per atom", "Bulk modulus B₀", "Pressure derivative B₀′"
ENERGY_VOLUME = "Energy against volume"
POTENTIAL, TEACHER, FITTED = "potential", "teacher", "fit to the potential"


def check_lattice(subject: Subject, crystal: RelaxedCrystal) -> Findings:
    """Compare the relaxed cell with the teacher's.

    The teacher's cubic lattice constant and volume come from its own equation of state where
    there are enough energies for one, otherwise from its frame of lowest energy.
    """
    teacher = crystal.crystal.teacher
    reference, source = _reference(crystal.crystal.cell, teacher)
    name, system = crystal.name, crystal.cell.system
    mine = crystal.cell.conventional.cell.cellpar()
    notes = []
    if crystal.cell.number != crystal.crystal.cell.number:
        notes.append(
            f"{name}: becomes {crystal.cell.symbol} when it is relaxed: the potential prefers "
            "another symmetry."
        )
    if not crystal.converged:
        notes.append(f"{name}: the relaxation did not come to an end; the potential is rough.")
    values = []
    for letter in _LENGTHS[crystal.crystal.cell.system]:
        place = _PLACES[letter]
        theirs = None if reference is None else float(reference.cell.cellpar()[place])
        unit = "Å" if place < 3 else "°"
        label = LATTICE_LABELS[letter]
        # After a change of symmetry the axes are others.
        value = float(mine[place]) if system == crystal.crystal.cell.system else None
        values.append(Value(label, value, unit, theirs, source if theirs else "", name))
    volume = None if reference is None else float(reference.get_volume()) / len(reference)
    values.append(Value(VOLUME, crystal.volume, "Å³", volume, source if volume else "", name))
    if teacher is not None:
        lowest = float(teacher.energies.min())
        values.append(Value(CRYSTAL_ENERGY, crystal.energy, "eV", lowest, FRAME, name))
    return Findings(tuple(values), notes=tuple(notes))


def check_volume(subject: Subject, crystal: RelaxedCrystal) -> Findings:
    """Follow the energy of a crystal through compression and expansion.

    All lengths are scaled alike; positions inside the cell relax at every volume.
    """
    teacher, name = crystal.crystal.teacher, crystal.name
    ratios = 1 + subject.settings.volume_range * np.linspace(-1, 1, subject.settings.volume_points)
    volumes = crystal.volume * ratios
    if teacher is not None:
        ends = teacher.volumes[[0, -1]]
        outside = ends[(ends < volumes.min()) | (ends > volumes.max())]
        volumes = np.sort(np.append(volumes, outside))
    energies = np.array([_energy_at(subject, crystal, volume) for volume in volumes])
    near = np.flatnonzero(np.abs(volumes / crystal.volume - 1) <= _FIT_RANGE + 1e-9)
    if len(near) < LEAST_POINTS:
        near = np.argsort(np.abs(volumes - crystal.volume))[: LEAST_POINTS + 2]
    mine: tuple[float | None, float | None, float | None] = (None, None, None)
    failure = ""
    try:
        mine = _three(fit_birch_murnaghan(volumes[near], energies[near]))
    except InvalidInput as error:
        # The curve shows what is wrong; it is kept.
        failure = f"{name}: {error.found}."
    series = [line(POTENTIAL, volumes, energies - energies.min())]
    theirs = fit_teacher(teacher)
    notes: list[str] = []
    if teacher is not None and len(teacher.volumes) > 1:
        zero = teacher.energies.min() if theirs is None else theirs.energy
        series.append(points(TEACHER, teacher.volumes, teacher.energies - zero))
        if theirs is None:
            notes.append(
                f"{name}: the teacher has {len(teacher.volumes)} volumes of this crystal, too few "
                "on both sides of the minimum for an equation of state."
            )
    source = "" if theirs is None else FIT
    values = tuple(
        Value(label, number, unit, reference, source, name)
        for (label, unit), number, reference in zip(
            ((MINIMUM, "Å³"), (BULK, "GPa"), (DERIVATIVE, "")),
            mine,
            (None, None, None) if theirs is None else _three(theirs),
            strict=True,
        )
    )
    wrong = _wrong_turns(volumes, energies)
    if wrong:
        notes.append(
            f"{name}: the energy does not rise steadily away from its minimum, near "
            f"{wrong:.3g} Å³/atom; do not use it at such densities."
        )
    plot = Plot(
        "energy-volume", ENERGY_VOLUME, "volume (Å³/atom)", "energy (eV/atom)", tuple(series),
        subject=name,
    )  # fmt: skip
    return Findings(values, (plot,), notes=tuple(notes), failure=failure)


def fit_teacher(teacher: TeacherCurve | None) -> EquationOfState | None:
    """Return the equation of state of the teacher's energies; None where they are too few."""
    if teacher is None:
        return None
    lowest = teacher.volumes[int(np.argmin(teacher.energies))]
    for width in (_FIT_RANGE, 2 * _FIT_RANGE, 4 * _FIT_RANGE):
        near = np.abs(teacher.volumes / lowest - 1) <= width + 1e-9
        if near.sum() >= LEAST_POINTS:
            try:
                return fit_birch_murnaghan(teacher.volumes[near], teacher.energies[near])
            except InvalidInput:
                continue  # no minimum among so few: look at more
    return None


def _three(fit: EquationOfState) -> tuple[float, float, float]:
    return fit.volume, fit.bulk_modulus, fit.pressure_derivative


def _reference(cell: StandardCell, teacher: TeacherCurve | None) -> tuple[Atoms | None, str]:
    """Return the teacher's conventional cell, and where its size comes from."""
    if teacher is None:
        return None, ""
    conventional: Atoms = teacher.best.conventional.copy()
    fit = fit_teacher(teacher)
    if fit is None or cell.system != "cubic":
        return conventional, FRAME
    factor = (fit.volume * len(conventional) / conventional.get_volume()) ** (1 / 3)
    conventional.set_cell(conventional.cell * factor, scale_atoms=True)
    return conventional, FIT


def _energy_at(subject: Subject, crystal: RelaxedCrystal, volume: float) -> float:
    atoms: Atoms = crystal.cell.primitive.copy()
    atoms.set_cell(atoms.cell * (volume / crystal.volume) ** (1 / 3), scale_atoms=True)
    atoms.calc = subject.calculator
    subject.pause()
    if float(np.abs(atoms.get_forces()).max()) < 1e-3:
        return energy_of(atoms) / len(atoms)
    return relax_positions(atoms, subject.calculator, pause=subject.pause).energy / len(atoms)


def _wrong_turns(volumes: FloatArray, energies: FloatArray) -> float | None:
    """Return the volume nearest to the minimum at which the energy falls again, if any."""
    lowest = int(np.argmin(energies))
    steps = np.diff(energies)
    wrong = [k for k in range(len(steps)) if (steps[k] > 0) != (k >= lowest)]
    if not wrong:
        return None
    nearest = min(wrong, key=lambda k: abs(k - lowest))
    return float(volumes[nearest])
