"""What it costs to cut a crystal."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.build import make_supercell

from mlmd.frame import FloatArray
from mlmd.units import EV_PER_A3_IN_GPA
from mlmd.validation.relaxation import relax_positions
from mlmd.validation.report import Table, Value
from mlmd.validation.subject import Findings, RelaxedCrystal, Subject
from mlmd.validation.symmetry import StandardCell, rotations
from mlmd.validation.teacher_cells import teacher_slabs

ENERGY = "Surface energy"
_PLANES = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1))
LABELS = {indices: f"{ENERGY} ({''.join(map(str, indices))})" for indices in _PLANES}
SLABS = "Slabs"
COLUMNS = ("plane", "energy (J/m²)", "not relaxed (J/m²)", "atoms", "thickness (Å)")
_J_PER_M2 = EV_PER_A3_IN_GPA / 10  # 1 eV/Å² in J/m²
_GAP = 0.3  # Å: planes closer than this belong to one layer
_VACUUM = 2.0  # Å beyond the cutoff
_MOST_ATOMS = 200


@dataclass(frozen=True)
class Slab:
    """A slab with vacuum on both sides.

    Args:
        atoms: periodic throughout.
        energy: before relaxation, eV.
    """

    atoms: Atoms
    energy: float

    @property
    def area(self) -> float:
        """Of one side, Å²."""
        a, b = self.atoms.cell.array[:2]
        return float(np.linalg.norm(np.cross(a, b)))


def check_surfaces(subject: Subject, crystal: RelaxedCrystal) -> Findings:
    """Cut slabs along the low-index planes and relax them.

    γ = (E_slab − N · E_bulk/N) / 2A, the mean of both sides. Of all places where a plane can cut, the
    one of lowest energy before relaxation counts; surfaces aren't reconstructed.
    """
    values, rows, notes = [], [], []
    for indices in _planes(crystal):
        subject.pause()
        slab = _best_cut(subject, crystal, indices)
        label = LABELS[indices]
        plane = label[len(ENERGY) + 1 :]
        if slab is None:
            notes.append(f"{crystal.name}: no slab of {plane} has less than {_MOST_ATOMS} atoms.")
            continue
        result = relax_positions(slab.atoms, subject.calculator, pause=subject.pause)
        bulk = len(slab.atoms) * crystal.energy
        factor = _J_PER_M2 / (2 * slab.area)
        relaxed, sharp = (result.energy - bulk) * factor, (slab.energy - bulk) * factor
        values.append(Value(label, relaxed, "J/m²", subject=crystal.name))
        z = slab.atoms.positions[:, 2]
        thickness = round(float(np.ptp(z)), 2)
        rows.append((plane, round(relaxed, 4), round(sharp, 4), len(slab.atoms), thickness))
        if relaxed < 0:
            notes.append(
                f"{crystal.name}: the surface {plane} has a negative energy: with this potential "
                "the crystal would fall apart into slabs."
            )
        if not result.converged:
            notes.append(f"{crystal.name}: the surface {plane} did not relax to the end.")
    if len(set(crystal.cell.primitive.numbers)) > 1:
        notes.append(
            f"{crystal.name}: slabs of a compound keep its composition; where their two sides "
            "differ, the energy is the mean of both."
        )
    values += teacher_slabs(subject, crystal)
    table = Table(SLABS, COLUMNS, tuple(rows), crystal.name)
    return Findings(tuple(values), tables=(table,) if rows else (), notes=tuple(notes))


def _planes(crystal: RelaxedCrystal) -> list[tuple[int, int, int]]:
    """Return low-index planes that the crystal's symmetry doesn't turn into each other."""
    reciprocal = crystal.cell.conventional.cell.reciprocal().array
    seen: list[FloatArray] = []
    chosen: list[tuple[int, int, int]] = []
    for indices in _PLANES:
        normal = np.array(indices) @ reciprocal
        images = np.concatenate([rotations(crystal.cell) @ normal * sign for sign in (1, -1)])
        if not any(np.linalg.norm(images - other, axis=1).min() < 1e-6 for other in seen):
            seen.append(normal)
            chosen.append(indices)
    return chosen


def _best_cut(
    subject: Subject, crystal: RelaxedCrystal, indices: tuple[int, int, int]
) -> Slab | None:
    """Return the slab of lowest energy among all places to cut; None where all are too large."""
    once = oriented_cell(crystal.cell, indices)
    period = float(once.cell.array[2, 2])
    layers = max(1, int(np.ceil(subject.settings.slab / period)))
    if len(once) * layers > _MOST_ATOMS:
        return None
    block = once.repeat((1, 1, layers))
    best: Slab | None = None
    for place in _cuts(block, period):
        subject.pause()
        slab = _open(block, place, subject.cutoff + _VACUUM)
        found = Slab(slab, subject.energy(slab))
        if best is None or found.energy < best.energy - 1e-6:
            best = found
    return best


def oriented_cell(cell: StandardCell, indices: tuple[int, int, int]) -> Atoms:
    """Return a cell of the crystal with two lattice vectors in a plane, that plane being xy.

    Args:
        cell: the crystal.
        indices: Miller indices in its conventional cell.
    """
    lattice = cell.primitive.cell.array
    normal = np.array(indices) @ cell.conventional.cell.reciprocal().array
    along = lattice @ normal
    # The plane's indices in the primitive cell: whole numbers without a common factor.
    plane = np.rint(along / np.abs(along[np.abs(along) > 1e-6]).min() * 12).astype(int)
    plane //= np.gcd.reduce(plane)
    vectors = np.array([v for v in itertools.product(range(-4, 5), repeat=3) if any(v)])
    vectors = vectors[np.argsort(np.linalg.norm(vectors @ lattice, axis=1), kind="stable")]
    flat, rising = vectors[vectors @ plane == 0], vectors[vectors @ plane == 1]
    first = flat[0]
    second = next(v for v in flat if np.array_equal(np.abs(np.cross(first, v)), np.abs(plane)))
    basis = np.array([first, second, rising[0]])
    if np.linalg.det(basis @ lattice) < 0:
        basis[1] *= -1
    turned: Atoms = make_supercell(cell.primitive, basis)
    standard, _ = turned.cell.standard_form()
    turned.set_cell(standard, scale_atoms=True)
    return turned


def _cuts(block: Atoms, period: float) -> list[float]:
    """Return the heights between the layers of one period, Å."""
    z = np.sort(block.positions[:, 2] % period)
    ends = np.append(z[1:], z[0] + period)
    wide = ends - z > _GAP
    return [float(place) for place in ((z + ends) / 2)[wide]]


def _open(block: Atoms, place: float, vacuum: float) -> Atoms:
    """Return the block cut at a height, with vacuum there.

    The third lattice vector may lean; atoms that change sides take it with them.
    """
    slab: Atoms = block.copy()
    lattice = slab.cell.array.copy()
    height = lattice[2, 2]
    below = np.floor((slab.positions[:, 2] - place) / height)
    slab.positions -= np.outer(below, lattice[2])
    slab.positions[:, 2] -= slab.positions[:, 2].min()
    lattice[2] = (0.0, 0.0, height + vacuum)
    slab.set_cell(lattice)
    slab.pbc = True
    slab.wrap(pbc=(True, True, False))
    return slab
