"""The state that integrators move: positions, velocities, cell and what the potential says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian
from numpy.typing import NDArray

from mlmd.errors import InvalidInput
from mlmd.md.forces import EXTRAPOLATION, FloatArray, ForceProvider
from mlmd.md.rigid import RigidBonds
from mlmd.units import AMU_A2_PER_FS2, AMU_PER_A3_IN_G_CM3, K_BOLTZMANN


@dataclass
class System:
    """Atoms in motion. Lengths in Å, times in fs, energies in eV.

    Args:
        numbers: atomic numbers, shape (N,).
        inertia: masses in eV·fs²/Å², shape (N, 1), so that v²·inertia is an energy.
        positions: unwrapped, shape (N, 3).
        velocities: shape (N, 3), Å/fs.
        cell: shape (3, 3).
        pbc: periodic along each lattice vector.
        provider: gives energy and forces.
        free: False where an atom's component is held, shape (N, 3).
        step: steps done.
    """

    numbers: NDArray[Any]
    inertia: FloatArray
    positions: FloatArray
    velocities: FloatArray
    cell: FloatArray
    pbc: tuple[bool, bool, bool]
    provider: ForceProvider
    free: NDArray[np.bool_]
    step: int = 0
    energy: float = 0.0
    forces: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))
    stress: FloatArray = field(default_factory=lambda: np.full((3, 3), np.nan))
    extrapolations: NDArray[Any] = field(default_factory=lambda: np.empty(0, EXTRAPOLATION))

    def __post_init__(self) -> None:
        self.bonds: RigidBonds | None = None
        self.has_fixed = not bool(self.free.all())
        movable = int(np.count_nonzero(self.free))
        # Three degrees of freedom sit in the centre of mass, which isn't thermal motion.
        self.keeps_center = not self.has_fixed and len(self.numbers) > 1
        self.degrees_of_freedom = movable - 3 if self.keeps_center else movable

    def evaluate(self) -> None:
        """Ask the potential for energy, forces and stress of the present positions."""
        answer = self.provider.compute(self.numbers, self.positions, self.cell, self.pbc)
        self.energy = float(answer.energy)
        self.forces = np.where(self.free, answer.forces, 0.0) if self.has_fixed else answer.forces
        self.stress = answer.stress
        self.extrapolations = answer.extrapolations

    @property
    def kinetic_energy(self) -> float:
        """½ Σ m v², eV."""
        return float(0.5 * np.sum(self.inertia * self.velocities**2))

    @property
    def temperature(self) -> float:
        """2K / (degrees of freedom · k_B), K."""
        if self.degrees_of_freedom <= 0:
            return 0.0
        return 2 * self.kinetic_energy / (self.degrees_of_freedom * K_BOLTZMANN)

    @property
    def volume(self) -> float:
        """Volume of the cell, Å³; NaN where it isn't periodic throughout."""
        return abs(float(np.linalg.det(self.cell))) if all(self.pbc) else float("nan")

    @property
    def pressure(self) -> float:
        """2K/3V − tr σ/3, eV/Å³; NaN without a full cell."""
        if not all(self.pbc):
            return float("nan")
        virial = -self.volume * float(np.trace(self.stress))
        if self.bonds is not None:
            held = self.bonds.stress_volume(self.forces, self.velocities, self.positions)
            virial -= float(np.trace(held))
        return (2 * self.kinetic_energy + virial) / (3 * self.volume)

    @property
    def strain_force(self) -> FloatArray:
        """Σ m v vᵀ − V σ: what drives a strain of the cell, shape (3, 3), eV.

        With rigid bonds, molecules move as wholes, and the sum is over their centres.
        """
        virial = -self.volume * self.stress
        if self.bonds is None:
            return np.asarray((self.inertia * self.velocities).T @ self.velocities + virial)
        inside = self.positions - self._centers(self.positions)
        lever = inside.T @ self.forces
        centers = self._centers(self.velocities)
        return np.asarray((self.inertia * centers).T @ centers + virial - 0.5 * (lever + lever.T))

    def deform(self, factor: FloatArray) -> None:
        """Strain cell and positions, and velocities the other way: phase space keeps its volume.

        Energy, forces and stress are those of before.

        Args:
            factor: symmetric, shape (3, 3).
        """
        # What moves with the cell: atoms, or the centres of molecules with rigid bonds.
        places, speeds = self._centers(self.positions), self._centers(self.velocities)
        self.cell = self.cell @ factor
        self.positions = self.positions + (places @ factor - places)
        self.velocities = self.velocities + (speeds @ np.linalg.inv(factor) - speeds)

    @property
    def bond_count(self) -> int:
        """How many bonds are rigid."""
        return 0 if self.bonds is None else len(self.bonds.pairs)

    def hold_bonds(self, bonds: RigidBonds, positions: FloatArray) -> None:
        """Take up rigid bonds, at positions (N, 3) that have their lengths."""
        self.bonds, self.positions = bonds, positions
        self.degrees_of_freedom -= len(bonds.pairs)
        self.stop_bonds()

    def keep_bonds(self, before: FloatArray, time: float) -> None:
        """Give bonds their lengths after a drift from ``before``, Å, within ``time``, fs."""
        if self.bonds is not None:
            kept = self.bonds.keep_lengths(self.positions, before)
            self.velocities = self.velocities + (kept - self.positions) / time
            self.positions = kept

    def stop_bonds(self) -> None:
        """Take out of the velocities what would change the length of a bond."""
        if self.bonds is not None:
            self.velocities = self.bonds.project(self.velocities, self.positions)

    def _centers(self, vectors: FloatArray) -> FloatArray:
        """Return the mean of vectors (N, 3) over each atom's molecule, by mass."""
        if self.bonds is None:
            return vectors
        molecules = self.bonds.molecules
        mass = np.bincount(molecules, self.inertia[:, 0])
        means = np.stack(
            [np.bincount(molecules, (self.inertia * vectors)[:, k]) / mass for k in range(3)],
            axis=1,
        )
        return np.asarray(means[molecules])

    def turn(self, rotation: FloatArray) -> None:
        """Turn everything, shape (3, 3): vectors times ``rotation``."""
        self.cell = self.cell @ rotation
        self.positions = self.positions @ rotation
        self.velocities = self.velocities @ rotation
        self.forces = self.forces @ rotation
        self.stress = rotation.T @ self.stress @ rotation

    @property
    def density(self) -> float:
        """Mass density, g/cm³; NaN without a full cell."""
        mass = float(self.inertia.sum()) / AMU_A2_PER_FS2
        return mass / self.volume * AMU_PER_A3_IN_G_CM3

    def remove_drift(self) -> None:
        """Take the motion of the centre of mass out; does nothing where atoms are held."""
        if self.keeps_center:
            self.velocities -= (self.inertia * self.velocities).sum(axis=0) / self.inertia.sum()


def system_from_atoms(atoms: Atoms, provider: ForceProvider) -> System:
    """Return a system at rest, or with the structure's own velocities.

    ASE's FixAtoms and FixCartesian constraints are kept.

    Args:
        atoms: the structure.
        provider: gives energy and forces.

    Raises:
        InvalidInput: no atoms, positions that aren't finite, a cell without volume, atoms
            of no element, or another kind of constraint.
    """
    where = f"structure {atoms.get_chemical_formula()}" if len(atoms) else "structure"
    if not len(atoms):
        raise InvalidInput(where, "no atoms", "at least one atom")
    if not np.all(np.isfinite(atoms.positions)):
        raise InvalidInput(where, "positions that aren't finite", "numbers in Å")
    cell = atoms.cell.array.astype(np.float64)
    if any(atoms.pbc) and abs(np.linalg.det(atoms.cell.complete().array)) < 1e-6:
        raise InvalidInput(where, "a periodic cell without volume", "lattice vectors that span it")
    masses = atoms.get_masses()
    if not np.all(masses > 0) or not np.all(atoms.numbers > 0):
        raise InvalidInput(where, "atoms of no element", "known elements with a positive mass")
    free = np.ones((len(atoms), 3), dtype=np.bool_)
    for constraint in atoms.constraints:
        if isinstance(constraint, FixAtoms):
            free[constraint.index] = False
        elif isinstance(constraint, FixCartesian):
            free[constraint.index] &= ~np.asarray(constraint.mask, dtype=np.bool_)
        else:
            raise InvalidInput(
                where, f"a constraint of type {type(constraint).__name__}", "fixed atoms only"
            )
    if not free.any():
        raise InvalidInput(where, "every atom is fixed", "at least one atom that can move")
    inertia = masses[:, None] * AMU_A2_PER_FS2
    # ASE's own time unit hides in its momenta: amu·Å/t with 1 amu·Å²/t² = 1 eV.
    velocities = atoms.get_velocities() / np.sqrt(AMU_A2_PER_FS2) * free
    return System(
        numbers=atoms.numbers.astype(np.int64),
        inertia=np.asarray(inertia, dtype=np.float64),
        positions=atoms.positions.astype(np.float64),
        velocities=np.asarray(velocities, dtype=np.float64),
        cell=cell,
        pbc=(bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2])),
        provider=provider,
        free=free,
    )


def atoms_from_system(system: System) -> Atoms:
    """Return the present state as ASE atoms with velocities."""
    atoms = Atoms(
        numbers=system.numbers,
        positions=system.positions,
        cell=system.cell,
        pbc=system.pbc,
        masses=system.inertia[:, 0] / AMU_A2_PER_FS2,
    )
    atoms.set_velocities(system.velocities * np.sqrt(AMU_A2_PER_FS2))
    return atoms


def draw_velocities(system: System, temperature: float, rng: np.random.Generator) -> None:
    """Give Maxwell–Boltzmann velocities with no drift and exactly the temperature asked for.

    Args:
        system: changed in place.
        temperature: K.
        rng: source of the random numbers.
    """
    spread = np.sqrt(K_BOLTZMANN * temperature / system.inertia)
    system.velocities = np.where(system.free, rng.standard_normal(system.positions.shape), 0.0)
    system.velocities *= spread
    system.stop_bonds()
    system.remove_drift()
    # A small cell would otherwise start √(2/3N) off.
    now = system.temperature
    if now > 0:
        system.velocities *= np.sqrt(temperature / now)
