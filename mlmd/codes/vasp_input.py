"""INCAR, KPOINTS and POSCAR as text; species, constraints, moments and +U in one order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian, FixScaled

from mlmd.codes.batches import check_cell
from mlmd.codes.k_points import k_mesh
from mlmd.codes.vasp_settings import (
    CalculationKind,
    Dispersion,
    Functional,
    Material,
    VaspSettings,
)
from mlmd.launch import Resources

_WORDS = "H He B C N O F Ne Si P S Cl Ar Ge As Se Br Kr Sb Te I Xe At Rn"
_NOT_METALS = frozenset(_WORDS.split())
# Elements whose d or f shell may be magnetic; others start with a small moment.
_SHELLS = "Ti V Cr Mn Fe Co Ni Cu Mo W Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb U Np Pu"
_MAGNETIC = frozenset(_SHELLS.split())
_LARGE_MOMENT, _SMALL_MOMENT = 5.0, 0.6
_LEAST_TETRAHEDRA = 4  # k-points
_FUNCTIONAL = {
    Functional.PBE: {"GGA": "PE"},
    Functional.PBESOL: {"GGA": "PS"},
    Functional.RPBE: {"GGA": "RP"},
    Functional.LDA: {},
    Functional.SCAN: {"METAGGA": "SCAN"},
    Functional.R2SCAN: {"METAGGA": "R2SCAN"},
    Functional.HSE06: {"GGA": "PE", "LHFCALC": ".TRUE.", "HFSCREEN": "0.2"},
}
_DISPERSION = {Dispersion.NONE: {}, Dispersion.D3: {"IVDW": "11"}, Dispersion.D3BJ: {"IVDW": "12"}}


@dataclass(frozen=True)
class Smearing:
    """ISMEAR and SIGMA (eV)."""

    kind: int
    width: float


@dataclass(frozen=True)
class Ordered:
    """A structure as VASP gets it.

    Args:
        atoms: grouped by element, in a right-handed cell.
        order: ``atoms[i]`` is atom ``order[i]`` of the structure it was made from.
        species: elements in the order of POSCAR and POTCAR.
    """

    atoms: Atoms
    order: tuple[int, ...]
    species: tuple[str, ...]


def ordered(atoms: Atoms) -> Ordered:
    """Return the structure grouped by element, in the order in which elements first appear.

    VASP refuses left-handed cells; the same lattice is right-handed with all vectors reversed.

    Raises:
        InvalidInput: no cell.
    """
    check_cell(atoms)
    symbols = atoms.get_chemical_symbols()
    species = tuple(dict.fromkeys(symbols))
    order = sorted(range(len(atoms)), key=lambda i: species.index(symbols[i]))
    grouped = atoms[order]
    if np.linalg.det(grouped.cell.array) < 0:
        grouped.set_cell(-grouped.cell.array, scale_atoms=False)
    return Ordered(grouped, tuple(order), species)


def poscar_text(structure: Ordered, comment: str = "") -> str:
    """Return a POSCAR in fractional coordinates; held components become selective dynamics."""
    atoms = structure.atoms
    symbols = atoms.get_chemical_symbols()
    counts = [symbols.count(s) for s in structure.species]
    held = held_components(atoms)
    first_line = " ".join("".join(c for c in comment if c.isprintable()).split())[:80]
    lines = [first_line or atoms.get_chemical_formula(), "1.0"]
    lines += ["".join(f" {x:21.16f}" for x in row) for row in atoms.cell.array]
    lines += ["  ".join(structure.species), "  ".join(map(str, counts))]
    if held.any():
        lines.append("Selective dynamics")
    lines.append("Direct")
    for row, fixed in zip(atoms.get_scaled_positions(wrap=False), held, strict=True):
        text = "".join(f" {x:19.16f}" for x in row)
        if held.any():
            text += "".join("  F" if component else "  T" for component in fixed)
        lines.append(text)
    return "\n".join([*lines, ""])


def held_components(atoms: Atoms) -> np.ndarray:
    """Return which components of the atoms are held, shape (N, 3).

    POSCAR holds components along lattice vectors; with Cartesian ones held in part only where
    vectors and axes agree, an atom is held whole otherwise.
    """
    held = np.zeros((len(atoms), 3), dtype=bool)
    cell = atoms.cell.array
    aligned = bool(np.allclose(cell - np.diag(np.diag(cell)), 0.0, atol=1e-8))
    for constraint in atoms.constraints:
        if isinstance(constraint, FixAtoms):
            held[constraint.index] = True
        elif isinstance(constraint, FixScaled):
            held[constraint.index] |= np.asarray(constraint.mask, dtype=bool)
        elif isinstance(constraint, FixCartesian):
            mask = np.asarray(constraint.mask, dtype=bool)
            held[constraint.index] |= mask if aligned or mask.all() else mask.any()
    return held


def k_points_text(atoms: Atoms, spacing: float) -> str:
    """Return a KPOINTS file with a mesh around Γ."""
    mesh = " ".join(map(str, k_mesh(atoms, spacing)))
    return f"spacing {spacing:g} 1/A\n0\nGamma\n{mesh}\n0 0 0\n"


def smearing_of(structures: Sequence[Atoms], settings: VaspSettings) -> Smearing:
    """Return the smearing of a batch: one for all, so that its energies belong together."""
    material = settings.material
    if material == Material.AUTOMATIC:
        elements = {s for atoms in structures for s in atoms.get_chemical_symbols()}
        material = Material.UNKNOWN if elements & _NOT_METALS else Material.METAL
    if material == Material.METAL:
        return Smearing(1, settings.smearing_width or 0.2)
    moves = settings.calculation != CalculationKind.STATIC
    few = any(math.prod(k_mesh(a, settings.k_spacing)) < _LEAST_TETRAHEDRA for a in structures)
    tetrahedra = material == Material.INSULATOR and not moves and not few
    return Smearing(-5 if tetrahedra else 0, settings.smearing_width or 0.05)


def incar_text(
    structure: Ordered,
    settings: VaspSettings,
    smearing: Smearing,
    resources: Resources | None = None,
) -> str:
    """Return an INCAR for one structure; further keywords have the last word."""
    mesh = k_mesh(structure.atoms, settings.k_spacing)
    values = {
        "SYSTEM": structure.atoms.get_chemical_formula(),
        **_FUNCTIONAL[settings.functional],
        **_DISPERSION[settings.dispersion],
        "ENCUT": f"{settings.cutoff:g}",
        "PREC": str(settings.precision),
        "EDIFF": f"{settings.threshold:g}",
        "ALGO": str(settings.algorithm),
        "NELM": str(settings.scf_steps),
        "NELMIN": "4",
        "ISMEAR": str(smearing.kind),
        "SIGMA": f"{smearing.width:g}",
        "LASPH": ".TRUE.",
        "LREAL": ".FALSE.",
        "LWAVE": ".FALSE.",
        "LCHARG": ".FALSE.",
        **_motion(settings),
        **_spin(structure.atoms, settings),
        **_hubbard(structure.species, settings),
        **_parallel(math.prod(mesh), settings, resources or Resources()),
        **settings.keywords(),
    }
    return "".join(f"{key} = {value}\n" for key, value in values.items())


def _motion(settings: VaspSettings) -> dict[str, str]:
    kind = settings.calculation
    if kind == CalculationKind.STATIC:
        # ISIF = 2: the stress is wanted although nothing moves.
        return {"IBRION": "-1", "NSW": "0", "ISIF": "2"}
    steps = {"NSW": str(settings.ionic_steps)}
    if kind == CalculationKind.MD:
        last = settings.final_temperature
        return steps | {
            "IBRION": "0",
            "ISIF": "2",
            "ISYM": "0",
            "MDALGO": "2",
            "SMASS": "0",
            "POTIM": f"{settings.time_step:g}",
            "TEBEG": f"{settings.temperature:g}",
            "TEEND": f"{settings.temperature if last is None else last:g}",
        }
    cell = "3" if kind == CalculationKind.CELL_RELAX else "2"
    return steps | {"IBRION": "2", "ISIF": cell, "EDIFFG": f"-{settings.force_limit:g}"}


def _spin(atoms: Atoms, settings: VaspSettings) -> dict[str, str]:
    if not settings.spin:
        return {"ISPIN": "1"}
    own = atoms.get_initial_magnetic_moments()
    given = settings.moment_of()
    moments = [
        own[i] if own.any() else given.get(s, _LARGE_MOMENT if s in _MAGNETIC else _SMALL_MOMENT)
        for i, s in enumerate(atoms.get_chemical_symbols())
    ]
    runs = [(f"{value:g}", len(list(group))) for value, group in groupby(moments)]
    text = " ".join(f"{count}*{value}" if count > 1 else value for value, count in runs)
    return {"ISPIN": "2", "MAGMOM": text, "LORBIT": "11"}


def _hubbard(species: Sequence[str], settings: VaspSettings) -> dict[str, str]:
    given = {s: u for s, u in settings.hubbard().items() if s in species}
    if not given:
        return {}
    orbitals = [given[s].orbital if s in given else -1 for s in species]
    energies = [given[s].energy if s in given else 0.0 for s in species]
    return {
        "LDAU": ".TRUE.",
        "LDAUTYPE": "2",
        "LDAUL": " ".join(map(str, orbitals)),
        "LDAUU": " ".join(f"{energy:g}" for energy in energies),
        "LDAUJ": " ".join("0" for _species in species),
        "LMAXMIX": "6" if 3 in orbitals else "4",
    }


def _parallel(points: int, settings: VaspSettings, resources: Resources) -> dict[str, str]:
    """KPAR groups of k-points, and bands spread over about the square root of a group's cores."""
    processes = resources.nodes * resources.processes
    if processes < 2 and settings.ncore is None and settings.kpar is None:
        return {}
    reduced = max(1, math.ceil(points / 2))
    kpar = settings.kpar or max(k for k in _divisors(processes) if k <= min(reduced, 4))
    group = max(1, processes // kpar)
    ncore = settings.ncore or max(n for n in _divisors(group) if n * n <= group)
    return {"KPAR": str(kpar), "NCORE": str(ncore)}


def _divisors(number: int) -> list[int]:
    return [i for i in range(1, number + 1) if number % i == 0]
