"""Potentials whose physics is known, for testing dynamics without a trained one."""

import numpy as np
from ase.neighborlist import neighbor_list as ase_neighbor_list
from numba import njit

from mlmd.hdnnp.potential import (
    Activation,
    CutoffType,
    ElementNetwork,
    Potential,
    Scaling,
    SymmetryFunction,
    sort_functions,
)
from mlmd.md.forces import PlainEvaluation


class IdealGas:
    """No interaction at all."""

    def compute(self, numbers, positions, cell, pbc):
        return PlainEvaluation(0.0, np.zeros_like(positions), np.zeros((3, 3)))


class LennardJones:
    """Truncated and shifted Lennard-Jones by minimum image: argon, boxes above 2 r_c only.

    Forces are shifted too, so that energy is conserved at the cutoff.
    """

    def __init__(self, epsilon=0.0104, sigma=3.4, cutoff=8.0):
        self.epsilon, self.sigma, self.cutoff = epsilon, sigma, cutoff
        self.calls = 0

    def compute(self, numbers, positions, cell, pbc):
        self.calls += 1
        energy, forces, virial = _lennard_jones(
            positions, cell, np.linalg.inv(cell), self.epsilon, self.sigma, self.cutoff
        )
        return PlainEvaluation(energy, forces, virial / abs(np.linalg.det(cell)))


@njit(cache=True)
def _pair(r, epsilon, sigma):
    x = (sigma / r) ** 6
    return 4 * epsilon * (x * x - x), 24 * epsilon * (2 * x * x - x) / r


@njit(cache=True)
def _lennard_jones(positions, cell, inverse, epsilon, sigma, cutoff):
    e_c, f_c = _pair(cutoff, epsilon, sigma)
    energy, forces, virial = 0.0, np.zeros_like(positions), np.zeros((3, 3))
    d, s = np.zeros(3), np.zeros(3)
    for i in range(len(positions)):
        for j in range(i):
            for a in range(3):
                s[a] = 0.0
                for b in range(3):
                    s[a] += (positions[i, b] - positions[j, b]) * inverse[b, a]
                s[a] = np.floor(s[a] + 0.5)
            r2 = 0.0
            for a in range(3):
                d[a] = positions[i, a] - positions[j, a]
                for b in range(3):
                    d[a] -= s[b] * cell[b, a]
                r2 += d[a] * d[a]
            if r2 < cutoff * cutoff:
                r = np.sqrt(r2)
                u, f = _pair(r, epsilon, sigma)
                energy += u - e_c + f_c * (r - cutoff)
                for a in range(3):
                    pull = (f - f_c) / r * d[a]
                    forces[i, a] += pull
                    forces[j, a] -= pull
                    for b in range(3):
                        virial[a, b] -= pull * d[b]
    return energy, forces, virial


class Springs:
    """Pairs 0–1, 2–3, … joined by harmonic springs: solvable, and blind to the cell."""

    def __init__(self, stiffness=5.0, length=1.5):
        self.stiffness, self.length = stiffness, length

    def compute(self, numbers, positions, cell, pbc):
        d = positions[1::2] - positions[::2]
        r = np.linalg.norm(d, axis=1)
        pull = (self.stiffness * (r - self.length) / r)[:, None] * d
        forces = np.empty_like(positions)
        forces[::2], forces[1::2] = pull, -pull
        volume = max(abs(np.linalg.det(cell)), 1e-300)
        stress = np.einsum("pa,pb->ab", pull, d) / volume
        energy = 0.5 * self.stiffness * float(((r - self.length) ** 2).sum())
        return PlainEvaluation(energy, forces, stress)


class SoftMolecules:
    """Atoms of different molecules push each other away softly, by minimum image.

    Args:
        molecules: index of each atom's molecule, shape (N,).
        reach: Å.
        strength: of the push, eV/Å³.
    """

    def __init__(self, molecules, reach=3.0, strength=0.05):
        self.molecules = np.asarray(molecules)
        self.reach, self.strength = reach, strength

    def compute(self, numbers, positions, cell, pbc):
        energy, forces, virial = _soft(
            positions, cell, np.linalg.inv(cell), self.molecules, self.reach, self.strength
        )
        return PlainEvaluation(energy, forces, virial / abs(np.linalg.det(cell)))


@njit(cache=True)
def _soft(positions, cell, inverse, molecules, reach, strength):
    energy, forces, virial = 0.0, np.zeros_like(positions), np.zeros((3, 3))
    d, s = np.zeros(3), np.zeros(3)
    for i in range(len(positions)):
        for j in range(i):
            if molecules[i] == molecules[j]:
                continue
            for a in range(3):
                s[a] = 0.0
                for b in range(3):
                    s[a] += (positions[i, b] - positions[j, b]) * inverse[b, a]
                s[a] = np.floor(s[a] + 0.5)
            r2 = 0.0
            for a in range(3):
                d[a] = positions[i, a] - positions[j, a]
                for b in range(3):
                    d[a] -= s[b] * cell[b, a]
                r2 += d[a] * d[a]
            if r2 < reach * reach:
                r = np.sqrt(r2)
                energy += strength * (reach - r) ** 3
                for a in range(3):
                    pull = 3 * strength * (reach - r) ** 2 / r * d[a]
                    forces[i, a] += pull
                    forces[j, a] -= pull
                    for b in range(3):
                        virial[a, b] -= pull * d[b]
    return energy, forces, virial


class SpringCrystal:
    """Harmonic springs between the neighbours of a crystal, which never change.

    Args:
        atoms: the crystal at rest.
        distance: of neighbours, Å.
        stiffness: of the springs, eV/Å².
    """

    def __init__(self, atoms, distance, stiffness=2.0):
        first, second, shifts = ase_neighbor_list("ijS", atoms, 1.1 * distance)
        once = (first < second) | ((first == second) & (shifts @ [9, 3, 1] > 0))
        self.first, self.second, self.shifts = first[once], second[once], shifts[once]
        self.distance, self.stiffness = distance, stiffness

    def compute(self, numbers, positions, cell, pbc):
        d = positions[self.second] - positions[self.first] + self.shifts @ cell
        r = np.sqrt(np.einsum("pa,pa->p", d, d))
        stretch = self.stiffness * (r - self.distance)
        pull = (stretch / r)[:, None] * d
        forces = np.stack(
            [
                np.bincount(self.first, pull[:, k], len(positions))
                - np.bincount(self.second, pull[:, k], len(positions))
                for k in range(3)
            ],
            axis=1,
        )
        energy = 0.5 * float(stretch @ (r - self.distance))
        return PlainEvaluation(energy, forces, pull.T @ d / abs(np.linalg.det(cell)))


def soft_potential(elements=("Si",)):
    """A purely repulsive network potential: any arrangement in a box is stable with it."""
    pairs = [(a, b) for a in elements for b in elements]
    functions = {
        a: sort_functions(
            [
                SymmetryFunction(2, a, (b,), 0.3, 0.0, 0.0, 0.0, 4.5)
                for first, b in pairs
                if first == a
            ]
        )
        for a in elements
    }
    count = len(elements)
    network = ElementNetwork((np.full((1, count), 2.0),), (np.array([-0.5]),), (Activation.LINEAR,))
    scaling = Scaling(np.zeros(count), np.ones(count), np.zeros(count), np.ones(count))
    return Potential(
        tuple(elements),
        functions,
        dict.fromkeys(elements, scaling),
        dict.fromkeys(elements, network),
        CutoffType.POLY2,
    )
