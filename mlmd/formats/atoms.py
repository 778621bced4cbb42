"""Frames to ASE atoms and back, without loss.

ASE keeps results in a calculator and applies constraints to forces it hands
out. Here forces stay untouched: which atoms were held travels in
``atoms.arrays["fixed"]`` instead of a constraint.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixCartesian
from numpy.typing import NDArray

from mlmd.documents import calculation_from_document, calculation_to_document
from mlmd.elements import MAXIMUM_NUMBER
from mlmd.errors import InvalidInput
from mlmd.frame import Calculation, FloatArray, Frame

_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def frame_to_atoms(frame: Frame) -> Atoms:
    """Return ASE atoms with the frame's labels in a single-point calculator.

    Both ``energy`` and ``free_energy`` of the calculator are the energy that the
    forces derive from; the energy at zero smearing is ``atoms.info["energy_sigma0"]``.
    """
    atoms = Atoms(
        numbers=frame.numbers.astype(int),
        positions=frame.positions,
        cell=frame.cell,
        pbc=frame.pbc,
    )
    results: dict[str, Any] = {}
    if frame.energy is not None:
        results["energy"] = results["free_energy"] = frame.energy
    if frame.forces is not None:
        results["forces"] = frame.forces.copy()
    if frame.stress is not None:
        results["stress"] = stress_to_voigt(frame.stress)
    if frame.magnetic_moments is not None:
        results["magmoms"] = frame.magnetic_moments.copy()
    if results:
        atoms.calc = SinglePointCalculator(atoms, **results)
    if frame.fixed is not None:
        atoms.set_array("fixed", frame.fixed.copy())
    atoms.info.update(_frame_info(frame))
    return atoms


def atoms_to_frame(atoms: Atoms) -> Frame:
    """Return the frame behind ASE atoms; results come from an attached calculator.

    Where a calculator gives ``free_energy`` it is the frame's energy and a
    different ``energy`` is taken as the one at zero smearing.

    Raises:
        InvalidInput: an atom has no element.
    """
    numbers = atoms.get_atomic_numbers()
    if len(numbers) and (numbers.min() < 1 or numbers.max() > MAXIMUM_NUMBER):
        raise InvalidInput(
            "atoms", "an atom without an element (X)", f"atomic numbers 1 to {MAXIMUM_NUMBER}"
        )
    info = atoms.info
    results = dict(atoms.calc.results) if atoms.calc is not None else {}
    energy = results.get("free_energy", results.get("energy"))
    sigma0 = info.get("energy_sigma0")
    if sigma0 is None and "free_energy" in results and results.get("energy") != energy:
        sigma0 = results.get("energy")
    labelled = energy is not None or "forces" in results
    x, y, z = (bool(p) for p in atoms.pbc)
    calculation = info.get("calculation")
    return Frame(
        numbers=numbers.astype(np.uint8),
        positions=np.array(atoms.positions, dtype=np.float64),
        cell=np.array(atoms.cell.array, dtype=np.float64),
        pbc=(x, y, z),
        energy=None if energy is None else float(energy),
        energy_sigma0=None if sigma0 is None else float(sigma0),
        forces=_float_array(results.get("forces")),
        stress=stress_matrix(results["stress"]) if results.get("stress") is not None else None,
        magnetic_moments=_float_array(results.get("magmoms")),
        fixed=_fixed_mask(atoms),
        ionic_step=int(info.get("ionic_step", 0)),
        label_source=str(info.get("label_source", "ab initio" if labelled else "none")),
        scf_converged=info.get("scf_converged"),
        kind=str(info.get("kind", info.get("config_type", ""))),
        flags=tuple(info.get("flags", ())),
        calculation=calculation_from_document(calculation)
        if isinstance(calculation, dict)
        else Calculation(),
    )


def stress_matrix(values: Any) -> FloatArray:
    """Return a 3×3 stress from 6 Voigt (xx, yy, zz, yz, xz, xy) or 9 components.

    Raises:
        ValueError: neither 6 nor 9 values.
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    if flat.size == 9:
        return flat.reshape(3, 3).copy()
    if flat.size != 6:
        raise ValueError(f"{flat.size} stress components; expected 6 or 9")
    matrix = np.zeros((3, 3))
    for (i, j), value in zip(_VOIGT, flat, strict=True):
        matrix[i, j] = matrix[j, i] = value
    return matrix


def stress_to_voigt(stress: FloatArray) -> FloatArray:
    """Return xx, yy, zz, yz, xz, xy of a 3×3 stress, off-diagonals averaged."""
    symmetric = 0.5 * (stress + stress.T)
    return np.array([symmetric[i, j] for i, j in _VOIGT])


def _float_array(values: Any) -> FloatArray | None:
    return None if values is None else np.array(values, dtype=np.float64)


def _frame_info(frame: Frame) -> dict[str, Any]:
    info: dict[str, Any] = {"label_source": frame.label_source, "ionic_step": frame.ionic_step}
    if frame.energy_sigma0 is not None:
        info["energy_sigma0"] = frame.energy_sigma0
    if frame.scf_converged is not None:
        info["scf_converged"] = frame.scf_converged
    if frame.kind:
        info["kind"] = frame.kind
    if frame.flags:
        info["flags"] = list(frame.flags)
    if frame.calculation != Calculation():
        info["calculation"] = calculation_to_document(frame.calculation)
    return info


def _fixed_mask(atoms: Atoms) -> NDArray[np.bool_] | None:
    if "fixed" in atoms.arrays:
        mask = np.asarray(atoms.arrays["fixed"], dtype=bool)
        return mask if mask.ndim == 2 else np.repeat(mask[:, None], 3, axis=1)
    mask = np.zeros((len(atoms), 3), dtype=bool)
    for constraint in atoms.constraints:
        if isinstance(constraint, FixAtoms):
            mask[constraint.index] = True
        elif isinstance(constraint, FixCartesian):
            mask[constraint.index] |= np.asarray(constraint.mask, dtype=bool)
    return mask if mask.any() else None
