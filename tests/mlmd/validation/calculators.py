"""Potentials whose crystals, phonons and errors are known beforehand."""

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.neighborlist import neighbor_list
from ase.stress import full_3x3_to_voigt_6_stress

from mlmd.frame import Calculation, Frame


class PairCalculator(Calculator):
    """Energy as a sum over pairs; its stress follows from the pair forces."""

    implemented_properties = ["energy", "free_energy", "forces", "stress"]
    cutoff = 1.0

    def pair(self, r):
        """Return energy and slope of each pair."""
        raise NotImplementedError

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        i, r, vectors = neighbor_list("idD", self.atoms, self.cutoff)
        energy, slope = self.pair(r)
        pull = (slope / r)[:, None] * vectors
        forces = np.zeros((len(self.atoms), 3))
        np.add.at(forces, i, pull)
        self.results = {"energy": energy.sum() / 2, "forces": forces}
        self.results["free_energy"] = self.results["energy"]
        if self.atoms.cell.rank == 3:
            stress = (pull.T @ vectors) / 2 / self.atoms.get_volume()
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)


class Springs(PairCalculator):
    """½k(r − r₀)² between nearest neighbours."""

    def __init__(self, stiffness: float, length: float):
        super().__init__()
        self.stiffness, self.length, self.cutoff = stiffness, length, 1.2 * length

    def pair(self, r):
        stretch = r - self.length
        return 0.5 * self.stiffness * stretch**2, self.stiffness * stretch


class Morse(PairCalculator):
    """D(e^(−2a(r − r₀)) − 2e^(−a(r − r₀))), led smoothly to zero between 5 and 6.5 Å."""

    depth, width, length, fading, cutoff = 0.35, 1.36, 2.87, 5.0, 6.5

    def pair(self, r):
        e = np.exp(-self.width * (r - self.length))
        energy, slope = self.depth * (e**2 - 2 * e), 2 * self.depth * self.width * (e - e**2)
        span = self.cutoff - self.fading
        t = np.clip((r - self.fading) / span, 0, 1)
        fade = 1 - 10 * t**3 + 15 * t**4 - 6 * t**5
        steepness = -30 * t**2 * (1 - t) ** 2 / span
        return energy * fade, slope * fade + energy * steepness


class Hollow(Morse):
    """Attracts again at short distance, as networks do where they saw no data."""

    def pair(self, r):
        energy, slope = super().pair(r)
        dip = 300.0 * np.exp(-((r / 1.7) ** 2))
        return energy - dip, slope + dip * 2 * r / 1.7**2


class WrongForces(Morse):
    """Its forces aren't the slope of its energy."""

    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        self.results["forces"] = 1.05 * self.results["forces"]


class WrongStress(Morse):
    """Its stress isn't the slope of its energy."""

    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        self.results["stress"] = self.results["stress"] + 1e-3


class Anchored(Morse):
    """Its energy knows where the origin is."""

    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        self.results["energy"] += 1e-2 * float(np.sin(self.atoms.positions[:, 0]).sum())


class Exploding(Morse):
    """Gives energy away: forces grow with time."""

    calls = 0

    def calculate(self, *arguments, **options):
        super().calculate(*arguments, **options)
        self.calls += 1
        self.results["forces"] = self.results["forces"] * 1.2**self.calls


def frame_of(atoms: Atoms, calculator: Calculator, kind: str = "", shift: float = 0.0) -> Frame:
    """Return atoms as a teacher that computed with a calculator would give them."""
    copy = atoms.copy()
    copy.calc = calculator
    stress = copy.get_stress(voigt=False) if all(copy.pbc) else None
    return Frame(
        copy.numbers.astype(np.uint8),
        copy.positions,
        copy.cell.array,
        tuple(bool(p) for p in copy.pbc),
        energy=float(copy.get_potential_energy()) + shift * len(copy),
        forces=copy.get_forces(),
        stress=stress,
        label_source="ab initio",
        kind=kind,
        calculation=Calculation(code="test"),
    )
