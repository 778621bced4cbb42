"""Bonds that keep their length: SHAKE for positions, RATTLE for velocities.

Sources: Ryckaert, Ciccotti & Berendsen, J. Comput. Phys. 23, 327 (1977),
doi:10.1016/0021-9991(77)90098-5; Andersen, J. Comput. Phys. 52, 24 (1983),
doi:10.1016/0021-9991(83)90014-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from mlmd.compiled import kernel
from mlmd.errors import InvalidInput
from mlmd.md.forces import FloatArray
from mlmd.md.holding import BondRule
from mlmd.neighbors import neighbor_list

IntArray = NDArray[np.int64]
# Of squared lengths: what rounding leaves of them 10 000 Å from the origin.
_LENGTH_TOLERANCE = 1e-11
_SPEED_TOLERANCE = 1e-13
_MOST_SWEEPS = 2000
_NEAR = 1.15  # a bond's present length may differ from that asked for by this factor
_REACH = 1.25  # of the sum of covalent radii, where no length is asked for


@dataclass(frozen=True)
class RigidBonds:
    """Bonds of one system.

    Args:
        pairs: atoms of each bond, shape (B, 2).
        lengths: Å, shape (B,).
        molecules: index of the molecule of each atom, shape (N,); free atoms are their own.
        inverse: inverse masses, 0 for held atoms, shape (N,).
    """

    pairs: IntArray
    lengths: FloatArray
    molecules: IntArray
    inverse: FloatArray

    def keep_lengths(self, positions: FloatArray, before: FloatArray) -> FloatArray:
        """Return positions with exact lengths, moved along the bonds of ``before``.

        Raises:
            InvalidInput: no such positions were found: the atoms moved too far.
        """
        found = positions.copy()
        if not _shake(found, before, self.pairs, self.lengths**2, self.inverse):
            raise _not_kept()
        return found

    def project(self, vectors: FloatArray, positions: FloatArray) -> FloatArray:
        """Return velocities without what would change a length."""
        found = vectors.copy()
        multipliers = np.zeros(len(self.pairs))
        targets = np.zeros(len(self.pairs))
        if not _rattle(found, positions, self.pairs, self.inverse, targets, multipliers):
            raise _not_kept()
        return found

    def stress_volume(
        self, forces: FloatArray, velocities: FloatArray, positions: FloatArray
    ) -> FloatArray:
        """Return what the forces in the bonds add to the stress, times the volume, (3, 3), eV."""
        first, second = self.pairs.T
        across = velocities[second] - velocities[first]
        targets = -np.einsum("ba,ba->b", across, across)
        multipliers = np.zeros(len(self.pairs))
        accelerations = forces * self.inverse[:, None]
        if not _rattle(accelerations, positions, self.pairs, self.inverse, targets, multipliers):
            raise _not_kept()
        d = positions[second] - positions[first]
        return np.asarray((multipliers[:, None] * d).T @ d)


def find_bonds(
    atoms: Atoms, rules: Sequence[BondRule], inverse: FloatArray
) -> tuple[RigidBonds, FloatArray]:
    """Return the bonds of a structure, and positions in which molecules are whole.

    Args:
        atoms: the structure.
        rules: which bonds are rigid.
        inverse: inverse masses, 0 for held atoms, shape (N,).

    Raises:
        InvalidInput: a rule that fits no bond, molecules that run through the cell, or more
            bonds than a rigid body needs.
    """
    direct = [rule for rule in rules if not _is_across(rule)]
    if not direct:
        raise InvalidInput(
            "rigid bonds",
            "only distances that are longer than bonds",
            "the bonds that make the molecules, too",
            "For water: O-H 0.9572, H-H 1.5139.",
        )
    pairs, lengths, vectors = _pairs_of(atoms, direct)
    count = len(atoms)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    molecules = connected_components(graph, directed=False)[1].astype(np.int64)
    positions = _made_whole(atoms, pairs, vectors, molecules)
    for rule in rules:
        if _is_across(rule) and rule.length:
            more = _pairs_across(rule, atoms, positions, molecules)
            pairs = np.concatenate([pairs, more])
            lengths = np.concatenate([lengths, np.full(len(more), rule.length)])
    keep = inverse[pairs].sum(axis=1) > 0
    if not keep.any():
        raise InvalidInput("rigid bonds", "only bonds between held atoms", "atoms that move")
    bonds = RigidBonds(pairs[keep], lengths[keep], molecules, inverse)
    _check_independent(bonds, positions)
    return bonds, bonds.keep_lengths(positions, positions)


def _bonding_distance(rule: BondRule) -> float:
    return _REACH * sum(float(covalent_radii[atomic_numbers[symbol]]) for symbol in rule.pair)


def _is_across(rule: BondRule) -> bool:
    """Return whether atoms at such a distance aren't bonded, but ends of an angle."""
    return rule.length is not None and rule.length > _bonding_distance(rule)


def _pairs_of(atoms: Atoms, rules: Sequence[BondRule]) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return atoms, lengths and vectors of all bonds that the rules ask for."""
    reach = {
        rule: _NEAR * rule.length if rule.length else _bonding_distance(rule) for rule in rules
    }
    near = neighbor_list(atoms.positions, atoms.cell.array, atoms.pbc, max(reach.values()))
    first = np.repeat(np.arange(len(atoms)), np.diff(near.first))
    second, vectors = np.asarray(near.neighbors), np.asarray(near.vectors)
    distances = np.linalg.norm(vectors, axis=1)
    symbols = np.array(atoms.get_chemical_symbols())
    pairs, lengths, directions = [], [], []
    for rule in rules:
        a, b = rule.pair
        fits = (symbols[first] == a) & (symbols[second] == b) & (distances < reach[rule])
        if rule.length is not None:
            fits &= distances > rule.length / _NEAR
        fits &= (first < second) | (symbols[first] != symbols[second])
        if not fits.any():
            raise _no_pair(rule)
        pairs.append(np.stack([first[fits], second[fits]], axis=1))
        directions.append(vectors[fits])
        lengths.append(np.full(int(fits.sum()), rule.length) if rule.length else distances[fits])
    found = np.concatenate(pairs).astype(np.int64)
    if len(np.unique(np.sort(found, axis=1), axis=0)) < len(found):
        raise _through_the_cell()
    return found, np.concatenate(lengths).astype(np.float64), np.concatenate(directions)


def _pairs_across(
    rule: BondRule, atoms: Atoms, positions: FloatArray, molecules: IntArray
) -> IntArray:
    """Return the pairs (P, 2) within molecules at about a rule's distance."""
    symbols = np.array(atoms.get_chemical_symbols())
    order = np.argsort(molecules, kind="stable")
    found: list[tuple[int, int]] = []
    for members in np.split(order, np.flatnonzero(np.diff(molecules[order])) + 1):
        for a, b in combinations(members.tolist(), 2):
            if sorted((symbols[a], symbols[b])) == sorted(rule.pair):
                ratio = np.linalg.norm(positions[b] - positions[a]) / (rule.length or 1.0)
                if 1 / _NEAR < ratio < _NEAR:
                    found.append((a, b))
    if not found:
        raise _no_pair(rule)
    return np.array(found, dtype=np.int64)


def _no_pair(rule: BondRule) -> InvalidInput:
    a, b = rule.pair
    distance = _bonding_distance(rule) if rule.length is None else rule.length
    return InvalidInput(
        "rigid bonds",
        f"no pair {a}-{b} at such a distance",
        f"atoms of {a} and {b} about {distance:.3g} Å from each other",
        "State the length that the bonds have.",
    )


def _made_whole(
    atoms: Atoms, pairs: IntArray, vectors: FloatArray, molecules: IntArray
) -> FloatArray:
    """Return positions where the atoms of each molecule lie together."""
    count = len(atoms)
    rows = np.concatenate([pairs, pairs[:, ::-1]])
    steps = np.concatenate([vectors, -vectors])
    index = {(int(a), int(b)): k for k, (a, b) in enumerate(rows)}
    graph = coo_array((np.ones(len(rows)), (rows[:, 0], rows[:, 1])), shape=(count, count)).tocsr()
    positions: FloatArray = atoms.positions.astype(np.float64)
    bonded = np.bincount(molecules)[molecules] > 1
    _, starts = np.unique(molecules, return_index=True)
    for start in starts[bonded[starts]]:
        order, parents = breadth_first_order(graph, start, directed=False)
        for atom in order[1:]:
            parent = int(parents[atom])
            positions[atom] = positions[parent] + steps[index[parent, int(atom)]]
    if np.abs(positions[pairs[:, 1]] - positions[pairs[:, 0]] - vectors).max() > 1e-6:
        raise _through_the_cell()
    return positions


def _check_independent(bonds: RigidBonds, positions: FloatArray) -> None:
    """Refuse molecules with more bonds than degrees of freedom; each kind is looked at once."""
    owner = bonds.molecules[bonds.pairs[:, 0]]
    order = np.argsort(owner, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(owner[order])) + 1):
        pairs = bonds.pairs[rows]
        d = positions[pairs[:, 1]] - positions[pairs[:, 0]]
        atoms, local = np.unique(pairs, return_inverse=True)
        local = local.reshape(pairs.shape)
        jacobian = np.zeros((len(rows), len(atoms), 3))
        for k, (a, b) in enumerate(local):
            jacobian[k, a], jacobian[k, b] = -d[k], d[k]
        jacobian *= np.sqrt(bonds.inverse[atoms])[:, None]
        flat = jacobian.reshape(len(rows), -1)
        if np.linalg.matrix_rank(flat, tol=1e-6 * np.linalg.norm(flat)) < len(rows):
            raise InvalidInput(
                "rigid bonds",
                f"a molecule of {len(atoms)} atoms with {len(rows)} bonds",
                "no more bonds than make it rigid, and none in a straight line",
                "Leave out a pair of elements.",
            )


def _not_kept() -> InvalidInput:
    return InvalidInput(
        "rigid bonds",
        "lengths that can't be kept",
        "atoms that move less than a bond's length in a step",
        "Take a smaller time step.",
    )


def _through_the_cell() -> InvalidInput:
    return InvalidInput(
        "rigid bonds",
        "bonded atoms that reach through the cell to themselves",
        "molecules smaller than the cell",
        "Repeat the cell, or hold fewer bonds.",
    )


@kernel
def _shake(
    positions: FloatArray,
    before: FloatArray,
    pairs: IntArray,
    squares: FloatArray,
    inverse: FloatArray,
) -> bool:
    for _ in range(_MOST_SWEEPS):
        worst = 0.0
        for k in range(len(pairs)):
            i, j = pairs[k, 0], pairs[k, 1]
            square, along = 0.0, 0.0
            for a in range(3):
                d = positions[j, a] - positions[i, a]
                square += d * d
                along += d * (before[j, a] - before[i, a])
            gap = square - squares[k]
            worst = max(worst, abs(gap) / squares[k])
            if abs(gap) <= _LENGTH_TOLERANCE * squares[k]:
                continue
            if not along > 0.05 * squares[k]:
                return False
            g = gap / (2.0 * (inverse[i] + inverse[j]) * along)
            for a in range(3):
                d = before[j, a] - before[i, a]
                positions[i, a] += g * inverse[i] * d
                positions[j, a] -= g * inverse[j] * d
        if worst <= _LENGTH_TOLERANCE:
            return True
    return False


@kernel
def _rattle(
    vectors: FloatArray,
    positions: FloatArray,
    pairs: IntArray,
    inverse: FloatArray,
    targets: FloatArray,
    multipliers: FloatArray,
) -> bool:
    # Rounding leaves nothing smaller than this times the tolerance.
    largest = 0.0
    for k in range(len(pairs)):
        size = abs(targets[k])
        for a in range(3):
            d = positions[pairs[k, 1], a] - positions[pairs[k, 0], a]
            size += abs(d) * (abs(vectors[pairs[k, 1], a]) + abs(vectors[pairs[k, 0], a]))
        largest = max(largest, size)
    for _ in range(_MOST_SWEEPS):
        worst = 0.0
        for k in range(len(pairs)):
            i, j = pairs[k, 0], pairs[k, 1]
            rate, square = -targets[k], 0.0
            for a in range(3):
                d = positions[j, a] - positions[i, a]
                rate += d * (vectors[j, a] - vectors[i, a])
                square += d * d
            worst = max(worst, abs(rate))
            g = rate / ((inverse[i] + inverse[j]) * square)
            multipliers[k] += g
            for a in range(3):
                d = positions[j, a] - positions[i, a]
                vectors[i, a] += g * inverse[i] * d
                vectors[j, a] -= g * inverse[j] * d
        if worst <= _SPEED_TOLERANCE * largest:
            return True
    return False
