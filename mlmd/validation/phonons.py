"""Phonon bands and density of states by finite displacements."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from ase import Atoms

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.units import K_BOLTZMANN
from mlmd.validation.lattice import POTENTIAL
from mlmd.validation.report import Mark, Plot, Series, Value, line
from mlmd.validation.subject import Findings, RelaxedCrystal, Skipped, Subject
from mlmd.validation.symmetry import repeats_for_width

BANDS, DENSITY = "Phonon bands", "Phonon density of states"
HIGHEST, LOWEST = "Highest frequency", "Lowest frequency"
HEAT, ENTROPY, ZERO_POINT = (
    "Heat capacity at 300 K per atom", "Vibrational entropy at 300 K per atom",
    "Zero-point energy per atom",
)  # fmt: skip
# Frequencies that small are rounding of the forces; imaginary ones are counted as negative.
IMAGINARY = -0.1  # THz
_PATH_POINTS = 61  # of the longest stretch
_MESH = 40.0  # Å: phonopy's length that sets the density of the mesh
_TEMPERATURE = 300.0  # K
_STILL = 0.01  # THz
_PLANCK = 4.135667696e-3  # eV/THz
_J_PER_MOL = 96485.33212331  # of 1 eV


def check_phonons(subject: Subject, crystal: RelaxedCrystal) -> Findings:
    """Compute force constants in a supercell, and from them bands and the density of states.

    Polar crystals lack the splitting of longitudinal and transverse modes near Γ: a short-range
    potential has no long-range field.

    Source: phonopy: Togo, J. Phys. Soc. Jpn. 92, 012001 (2023), doi:10.7566/JPSJ.92.012001; paths:
    Hinuma et al., Comput. Mater. Sci. 128, 140 (2017), doi:10.1016/j.commatsci.2016.10.015.
    """
    phonon = _force_constants(subject, crystal)
    bands, *path = _bands(phonon, crystal.name)
    density, lowest, highest = _density(phonon, crystal.name)
    lowest, highest = min(lowest, path[0]), max(highest, path[1])
    values = [
        Value(HIGHEST, highest, "THz", subject=crystal.name),
        Value(LOWEST, lowest, "THz", subject=crystal.name),
    ]
    notes = []
    if lowest < IMAGINARY:
        notes.append(
            f"{crystal.name}: imaginary modes, down to {lowest:.2f} THz (drawn below zero): at 0 K "
            "the potential does not hold this crystal in place."
        )
    else:
        found = thermal_properties(phonon.mesh.frequencies, phonon.mesh.weights)
        values += [
            Value(label, number, unit, subject=crystal.name)
            for label, number, unit in zip(
                (HEAT, ENTROPY, ZERO_POINT), found, ("J/(mol K)", "J/(mol K)", "meV"), strict=True
            )
        ]
    width = len(phonon.supercell)
    notes.append(f"{crystal.name}: force constants in a supercell of {width} atoms.")
    return Findings(tuple(values), (bands, density), notes=tuple(notes))


def thermal_properties(
    frequencies: FloatArray, weights: FloatArray, temperature: float = _TEMPERATURE
) -> tuple[float, float, float]:
    """Return heat capacity and entropy in J/(mol K) and zero-point energy in meV, per atom.

    Args:
        frequencies: of the modes at each wave vector, shape (Q, M), THz, three for each atom.
        weights: of the wave vectors, shape (Q,).
        temperature: K.

    Source: textbook sums over harmonic oscillators; the uniform motion at Γ has no share.
    """
    energies = np.clip(frequencies, 0, None) * _PLANCK
    moving = energies > _STILL * _PLANCK
    x = np.where(moving, energies, 1.0) / (K_BOLTZMANN * temperature)
    bose = 1 / np.expm1(x)
    heat = np.where(moving, x**2 * bose * (bose + 1), 0.0)
    entropy = np.where(moving, x * bose - np.log1p(-np.exp(-x)), 0.0)
    share = weights / weights.sum() / (frequencies.shape[1] / 3)

    def per_atom(modes: FloatArray) -> float:
        return float(share @ modes.sum(axis=1))

    gas_constant = K_BOLTZMANN * _J_PER_MOL
    return (
        per_atom(heat) * gas_constant,
        per_atom(entropy) * gas_constant,
        per_atom(energies / 2) * 1000,
    )


def _force_constants(subject: Subject, crystal: RelaxedCrystal) -> Any:
    try:
        from phonopy import Phonopy
        from phonopy.structure.atoms import PhonopyAtoms
    except ImportError:
        raise Skipped("phonopy, which computes phonons, is not installed.") from None
    cell, settings = crystal.cell.conventional, subject.settings
    repeats = repeats_for_width(cell, settings.supercell, settings.supercell_atoms)
    unit = PhonopyAtoms(
        symbols=cell.get_chemical_symbols(),
        cell=cell.cell.array,
        scaled_positions=cell.get_scaled_positions(),
    )
    primitive = np.linalg.solve(cell.cell.array.T, crystal.cell.primitive.cell.array.T)
    phonon = Phonopy(
        unit, supercell_matrix=np.diag(repeats), primitive_matrix=primitive, log_level=0
    )
    phonon.generate_displacements(distance=settings.displacement)
    forces = []
    for moved in phonon.supercells_with_displacements or ():
        subject.pause()
        atoms = Atoms(
            symbols=moved.symbols,
            cell=moved.cell,
            scaled_positions=moved.scaled_positions,
            pbc=True,
            calculator=subject.calculator,
        )
        forces.append(atoms.get_forces())
    if not np.all(np.isfinite(forces)):
        raise InvalidInput(crystal.name, "forces that aren't finite", "finite ones")
    phonon.forces = np.array(forces)
    phonon.produce_force_constants(show_drift=False)
    phonon.symmetrize_force_constants()
    return phonon


def _bands(phonon: Any, name: str) -> tuple[Plot, float, float]:
    """Return the plot of the bands, lowest and highest frequency of the path."""
    from phonopy.phonon.band_structure import get_band_qpoints_by_seekpath

    paths, labels, connected = get_band_qpoints_by_seekpath(
        phonon.primitive, _PATH_POINTS, is_const_interval=True
    )
    phonon.run_band_structure(paths, path_connections=connected, labels=labels)
    structure = phonon.band_structure
    frequencies = structure.frequencies
    # In shares of the path, so that the bands of slightly larger or smaller cells lie on each other.
    distances = [np.asarray(x) / structure.distances[-1][-1] for x in structure.distances]
    series: list[Series] = [
        line(POTENTIAL, x, branch)
        for x, stretch in zip(distances, frequencies, strict=True)
        for branch in np.asarray(stretch).T
    ]
    plot = Plot(
        "phonon-bands", BANDS, "wave vector", "frequency (THz)", tuple(series),
        _marks(distances, labels, connected), name,
    )  # fmt: skip
    joined = np.concatenate([np.asarray(stretch) for stretch in frequencies])
    return plot, float(joined.min()), float(joined.max())


def _marks(distances: Any, labels: list[str], connected: list[bool]) -> tuple[Mark, ...]:
    """Return the special points: a path that jumps has two names at one place."""
    marks: list[Mark] = []
    names = iter(map(_point_name, labels))
    begins = True
    for x, goes_on in zip(distances, connected, strict=True):
        if begins:
            _add_mark(marks, float(x[0]), next(names))
        _add_mark(marks, float(x[-1]), next(names))
        begins = not goes_on
    return tuple(marks)


def _add_mark(marks: list[Mark], x: float, name: str) -> None:
    if marks and abs(marks[-1].x - x) < 1e-9:
        marks[-1] = Mark(marks[-1].x, f"{marks[-1].label}|{name}")
    else:
        marks.append(Mark(x, name))


def _point_name(label: str) -> str:
    r"""Return ``Γ`` for ``$\Gamma$`` and ``S₀`` for ``$\mathrm{S_0}$``."""
    plain = re.sub(r"[${}]|\\mathrm|\\mathbf", "", label).replace("\\Gamma", "Γ")
    plain = plain.replace("GAMMA", "Γ").replace("SIGMA", "Σ").replace("\\_", "_")
    return re.sub(r"_(\d)", lambda match: chr(ord("₀") + int(match.group(1))), plain)


def _density(phonon: Any, name: str) -> tuple[Plot, float, float]:
    """Return the plot of the density of states, lowest and highest frequency of the mesh."""
    phonon.run_mesh(_MESH)
    phonon.run_total_dos()
    density = phonon.total_dos
    plot = Plot(
        "phonon-dos", DENSITY, "frequency (THz)", "states per THz and cell",
        (line(POTENTIAL, density.frequency_points, density.dos),), subject=name,
    )  # fmt: skip
    frequencies = phonon.mesh.frequencies
    return plot, float(frequencies.min()), float(frequencies.max())
