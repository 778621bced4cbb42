"""Elastic constants."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.optimize import LBFGS

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.units import EV_PER_A3_IN_GPA
from mlmd.validation.lattice import FIT, fit_teacher
from mlmd.validation.report import Table, Value
from mlmd.validation.subject import Findings, RelaxedCrystal, Skipped, Subject
from mlmd.validation.symmetry import rotations

CONSTANTS = {
    "cubic": ("11", "12", "44"),
    "hexagonal": ("11", "12", "13", "33", "44"),
    "trigonal": ("11", "12", "13", "14", "33", "44"),
    "tetragonal": ("11", "12", "13", "33", "44", "66"),
    "orthorhombic": ("11", "22", "33", "12", "13", "23", "44", "55", "66"),
}
ALL = tuple(f"{i}{j}" for i in range(1, 7) for j in range(i, 7))
BULK, SHEAR, YOUNG, POISSON = (
    "Bulk modulus", "Shear modulus", "Young's modulus", "Poisson's ratio",
)  # fmt: skip
STABILITY = "Smallest elastic eigenvalue"
TENSOR = "Elastic tensor"
COLUMNS = ("1", "2", "3", "4", "5", "6")
_ZERO = 1e-4  # GPa: what symmetry makes zero is rounding
_FORCE, _STEPS = 1e-4, 200


def check_elastic(subject: Subject, crystal: RelaxedCrystal) -> Findings:
    """Strain a crystal, relax its atoms, and read the elastic constants from its stress.

    Axes are those of the standard conventional cell. The tensor is averaged over the point
    group, and with Hill's mean gives the moduli of a polycrystal.

    Source: stability: Mouhat, Coudert, PRB 90, 224104 (2014), doi:10.1103/PhysRevB.90.224104;
    moduli: Hill, Proc. Phys. Soc. A 65, 349 (1952), doi:10.1088/0370-1298/65/5/307.
    """
    tensor = elastic_tensor(subject, crystal)
    name = crystal.name
    bulk, shear = hill_moduli(tensor)
    eigenvalues = np.linalg.eigvalsh(tensor)
    teacher = fit_teacher(crystal.crystal.teacher)
    theirs = None if teacher is None else teacher.bulk_modulus
    values = []
    for pair in CONSTANTS.get(crystal.cell.system, ALL):
        constant = float(tensor[int(pair[0]) - 1, int(pair[1]) - 1])
        if abs(constant) > _ZERO:
            values.append(Value(f"C{pair}", constant, "GPa", subject=name))
    values += [
        Value(BULK, bulk, "GPa", theirs, FIT if theirs is not None else "", name),
        Value(SHEAR, shear, "GPa", subject=name),
        Value(YOUNG, 9 * bulk * shear / (3 * bulk + shear), "GPa", subject=name),
        Value(POISSON, (3 * bulk - 2 * shear) / (2 * (3 * bulk + shear)), subject=name),
        Value(STABILITY, float(eigenvalues[0]), "GPa", subject=name),
    ]
    notes = []
    if eigenvalues[0] <= 0:
        notes.append(
            f"{name}: not stable against strain (Born's criteria): its elastic tensor has an "
            f"eigenvalue of {eigenvalues[0]:.3g} GPa. Do not use the potential for this crystal."
        )
    rows = tuple(tuple(round(float(c), 2) + 0.0 for c in row) for row in tensor)
    table = Table(TENSOR, COLUMNS, rows, name)
    return Findings(tuple(values), tables=(table,), notes=tuple(notes))


def elastic_tensor(subject: Subject, crystal: RelaxedCrystal) -> FloatArray:
    """Return the elastic tensor in Voigt's notation, shape (6, 6), GPa.

    Raises:
        Skipped: matscipy isn't installed.
        InvalidInput: it isn't finite.
    """
    try:
        from matscipy.elasticity import (
            Voigt_6x6_to_full_3x3x3x3,
            full_3x3x3x3_to_Voigt_6x6,
            measure_triclinic_elastic_constants,
        )
    except ImportError:
        raise Skipped("matscipy, which computes elastic constants, is not installed.") from None
    atoms: Atoms = crystal.cell.primitive.copy()
    atoms.calc = subject.calculator

    def optimizer(strained: Atoms, logfile: None) -> LBFGS:
        subject.pause()
        return LBFGS(strained, logfile=logfile, maxstep=0.05)  # type: ignore[arg-type]  # ASE's types

    full = measure_triclinic_elastic_constants(
        atoms, delta=subject.settings.strain, optimizer=optimizer, fmax=_FORCE, steps=_STEPS
    )
    if not np.all(np.isfinite(full)):
        raise InvalidInput(crystal.name, "elastic constants that aren't finite", "finite ones")
    # Voigt's form is symmetric only after this; and the mean over the group takes noise out.
    full = Voigt_6x6_to_full_3x3x3x3(full_3x3x3x3_to_Voigt_6x6(full, check_symmetry=False))
    group = rotations(crystal.cell)
    turned = np.einsum("nai,nbj,nck,ndl,ijkl->abcd", *[group] * 4, full, optimize=True)
    tensor = full_3x3x3x3_to_Voigt_6x6(turned / len(group), check_symmetry=False)
    return np.asarray((tensor + tensor.T) / 2 * EV_PER_A3_IN_GPA)


def hill_moduli(tensor: FloatArray) -> tuple[float, float]:
    """Return bulk and shear modulus of a polycrystal: means of Voigt's and Reuss's bounds.

    Args:
        tensor: in Voigt's notation, shape (6, 6).

    Source: Hill, Proc. Phys. Soc. A 65, 349 (1952), doi:10.1088/0370-1298/65/5/307.
    """
    c, s = tensor, np.asarray(np.linalg.inv(tensor), dtype=np.float64)

    def sums(matrix: FloatArray) -> tuple[float, float, float]:
        upper = matrix[0, 1] + matrix[0, 2] + matrix[1, 2]
        return float(np.trace(matrix[:3, :3])), float(upper), float(np.trace(matrix[3:, 3:]))

    diagonal, off, shears = sums(c)
    voigt = (diagonal + 2 * off) / 9, (diagonal - off + 3 * shears) / 15
    diagonal, off, shears = sums(s)
    reuss = 1 / (diagonal + 2 * off), 15 / (4 * diagonal - 4 * off + 3 * shears)
    return (voigt[0] + reuss[0]) / 2, (voigt[1] + reuss[1]) / 2
