"""What holds for every potential, right or wrong: symmetries, and forces that are a gradient."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms
from scipy.spatial.transform import Rotation

from mlmd.frame import FloatArray
from mlmd.units import EV_PER_A3_IN_GPA
from mlmd.validation.dynamics import start
from mlmd.validation.relaxation import energy_of
from mlmd.validation.report import Value
from mlmd.validation.subject import Findings, Subject

GRADIENT, VIRIAL = "Forces against the energy's slope", "Stress against the energy's slope"
EXCHANGE, TURN, MIRROR, SHIFT, REPEAT = (
    "Energy after exchanging atoms", "Energy after a rotation", "Energy after an inversion",
    "Energy after a shift", "Energy of a doubled cell",
)  # fmt: skip
BALANCE = "Sum of all forces"
_RATTLE, _STEP, _STRAIN_STEP = 0.1, 2e-3, 2e-4  # Å, Å, 1
_COMPONENTS = 12
_MOST_ATOMS = 64
_LARGEST = {"meV/atom": 1e-3, "meV/Å": 0.1, "GPa": 1e-2}


def check_consistency(subject: Subject) -> Findings:
    """Hold energies, forces and stress of a shaken structure against each other.

    After the verification checks of OpenKIM; slopes are four-point differences.

    Source: Tadmor et al., JOM 63, 17 (2011), doi:10.1007/s11837-011-0102-6.
    """
    rng = np.random.Generator(np.random.PCG64(subject.settings.seed))
    atoms = start(subject, min(8, _MOST_ATOMS)).atoms
    atoms.calc = None
    atoms.positions += rng.normal(scale=_RATTLE / np.sqrt(3), size=atoms.positions.shape)
    atoms.calc = subject.calculator
    energy, forces = energy_of(atoms), np.array(atoms.get_forces())
    count = len(atoms)
    values = [
        Value(GRADIENT, _gradient_error(subject, atoms, forces, rng), "meV/Å"),
        Value(BALANCE, 1000 * float(np.linalg.norm(forces.sum(axis=0))), "meV/Å"),
    ]
    if subject.gives_stress and all(atoms.pbc):
        values.append(Value(VIRIAL, _stress_error(subject, atoms), "GPa"))
    for label, copy in _copies(atoms, rng):
        share = len(copy) / count
        difference = (subject.energy(copy) / share - energy) / count
        values.append(Value(label, 1000 * abs(difference), "meV/atom"))
    notes = [
        f"{value.label}: off by {value.value:.3g} {value.unit}, where rounding alone was expected."
        for value in values
        if value.value is not None and value.value > _LARGEST[value.unit]
    ]
    return Findings(tuple(values), notes=tuple(notes))


def _copies(atoms: Atoms, rng: np.random.Generator) -> list[tuple[str, Atoms]]:
    """Return structures that must have the same energy per atom."""
    exchanged = atoms[rng.permutation(len(atoms))]
    turn = Rotation.random(rng=rng).as_matrix()
    turned, mirrored, shifted = atoms.copy(), atoms.copy(), atoms.copy()
    turned.set_cell(atoms.cell.array @ turn.T)
    turned.positions = atoms.positions @ turn.T
    mirrored.set_cell(-atoms.cell.array)
    mirrored.positions = -atoms.positions
    shifted.positions += rng.normal(size=3)
    shifted.wrap()
    found = [(EXCHANGE, exchanged), (TURN, turned), (MIRROR, mirrored), (SHIFT, shifted)]
    if all(atoms.pbc):
        found.append((REPEAT, atoms.repeat((2, 1, 1))))
    return found


def _gradient_error(
    subject: Subject, atoms: Atoms, forces: FloatArray, rng: np.random.Generator
) -> float:
    """Return the largest difference between forces and slopes of the energy, meV/Å."""
    places = rng.choice(forces.size, min(_COMPONENTS, forces.size), replace=False)
    worst = 0.0
    for place in places:
        atom, axis = divmod(int(place), 3)
        subject.pause()

        def moved(amount: float, atom: int = atom, axis: int = axis) -> float:
            copy = atoms.copy()
            copy.positions[atom, axis] += amount
            return subject.energy(copy)

        worst = max(worst, abs(forces[atom, axis] + _slope(moved, _STEP)))
    return float(1000 * worst)


def _stress_error(subject: Subject, atoms: Atoms) -> float:
    """Return the largest difference between stress and slopes of the energy, GPa."""
    stress = atoms.get_stress(voigt=False)
    worst = 0.0
    for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
        subject.pause()

        def strained(amount: float, i: int = i, j: int = j) -> float:
            strain = np.eye(3)
            strain[i, j] += amount / 2
            strain[j, i] += amount / 2
            copy = atoms.copy()
            copy.set_cell(atoms.cell.array @ strain, scale_atoms=True)
            return subject.energy(copy)

        slope = _slope(strained, _STRAIN_STEP) / atoms.get_volume()
        worst = max(worst, abs(stress[i, j] - slope))
    return float(worst * EV_PER_A3_IN_GPA)


def _slope(energy: Callable[[float], float], step: float) -> float:
    near = energy(step) - energy(-step)
    far = energy(2 * step) - energy(-2 * step)
    return (8 * near - far) / (12 * step)
