"""The lower convex hull of energies over compositions: what a structure could fall apart into."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray

IndexArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

ON_HULL = 1e-8  # eV/atom; nearer than that is on the hull: the solver's own accuracy
_INSIDE = -1e-9  # of a barycentric coordinate
_SAME = 1e-9  # of a composition's shares
_JOINING = 20


def hull_energies(compositions: Sequence[Mapping[str, int]], energies: ArrayLike) -> FloatArray:
    """Return the energy per atom of the lower convex hull at each composition.

    The hull at a composition is the lowest energy per atom that any mixture of the given
    compositions with the same atoms has. It is a straight line between two compounds of a
    binary system, a plane between three of a ternary; with one element it is the lowest energy.
    No reference states are needed: a shift of the energies by so much per atom of each element
    shifts the hull as much. The difference between an energy and the hull is never negative.

    Args:
        compositions: element → number of atoms, of each entry; entries may repeat a composition.
        energies: shape (N,), eV/atom.

    Returns:
        Shape (N,), eV/atom; exactly the energy itself where an entry lies on the hull.

    Raises:
        InvalidInput: lengths differ, a composition without atoms, or energies that aren't finite.
    """
    given = np.asarray(energies, dtype=float)
    if given.shape != (len(compositions),) or not np.isfinite(given).all():
        raise InvalidInput(
            "convex hull", f"energies of shape {given.shape}", f"{len(compositions)} finite numbers"
        )
    systems = _systems(compositions)
    found = np.empty(len(given))
    for elements, targets in systems.items():
        # Whatever holds another element can't be part of a mixture with these atoms.
        members = [i for system, some in systems.items() if system <= elements for i in some]
        order = sorted(elements)
        fractions = _fractions([compositions[i] for i in members], order)
        wanted = _fractions([compositions[i] for i in targets], order)
        solve = _binary if len(order) == 2 else _general
        hull = (
            np.full(len(targets), given[members].min())
            if len(order) == 1
            else solve(fractions, given[members], wanted)
        )
        found[targets] = np.where(hull > given[targets] - ON_HULL, given[targets], hull)
    return found


def _systems(compositions: Sequence[Mapping[str, int]]) -> dict[frozenset[str], list[int]]:
    systems: dict[frozenset[str], list[int]] = defaultdict(list)
    for index, composition in enumerate(compositions):
        elements = frozenset(element for element, count in composition.items() if count > 0)
        if not elements:
            raise InvalidInput("convex hull", f"entry {index + 1} without atoms", "some atoms")
        systems[elements].append(index)
    return systems


def _fractions(compositions: Sequence[Mapping[str, int]], order: Sequence[str]) -> FloatArray:
    counts = np.array([[c.get(e, 0) for e in order] for c in compositions], dtype=float)
    shares: FloatArray = counts / counts.sum(axis=1, keepdims=True)
    return shares


def _binary(fractions: FloatArray, energies: FloatArray, wanted: FloatArray) -> FloatArray:
    """Return the hull of two elements by Andrew's monotone chain; no mixture costs infinity."""
    corners: list[tuple[float, float]] = []
    for x, e in _lowest(fractions[:, 1], energies):
        while len(corners) > 1 and _turns_right(corners[-2], corners[-1], (x, e)):
            corners.pop()
        corners.append((x, e))
    x_corner, e_corner = np.array(corners).T
    return np.asarray(np.interp(wanted[:, 1], x_corner, e_corner))


def _lowest(x: FloatArray, energies: FloatArray) -> Iterator[tuple[float, float]]:
    """Yield each share once, ascending, with its lowest energy."""
    last = -1.0
    for i in np.lexsort((energies, x)):
        if x[i] > last:
            last = float(x[i])
            yield last, float(energies[i])


def _turns_right(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) <= (b[1] - a[1]) * (c[0] - a[0])


def _general(fractions: FloatArray, energies: FloatArray, wanted: FloatArray) -> FloatArray:
    """Return the hull of any number of elements by linear programming.

    For one composition: the cheapest shares of the members that mix to it. A solution is a facet
    of the hull: every member that touches it is on the hull, and every composition between its
    corners has its energy from them.
    """
    # Total energies are thousands of eV: without their linear part the solver is as accurate
    # as differences need.
    linear, *_rest = np.linalg.lstsq(fractions, energies, rcond=None)
    left = energies - fractions @ linear
    cheapest = _cheapest(fractions, left)
    keep = sorted(cheapest.values())
    members, cost = fractions[keep], left[keep]
    place = {index: at for at, index in enumerate(keep)}
    own = np.array([place[cheapest[_key(target)]] for target in wanted])
    mixing = _Mixing(members, cost)
    relative = np.full(len(wanted), np.nan)
    while (open_ones := np.flatnonzero(np.isnan(relative))).size:
        corners, touching = mixing.facet(own[open_ones[0]])
        shares, *_rest = np.linalg.lstsq(members[corners].T, wanted[open_ones].T, rcond=None)
        mixed = np.abs(members[corners].T @ shares - wanted[open_ones].T).max(axis=0) < _SAME
        between = mixed & (shares.min(axis=0) > _INSIDE)
        between[0] = True
        relative[open_ones[between]] = cost[corners] @ shares[:, between]
        touched = open_ones[touching[own[open_ones]]]
        relative[touched] = cost[own[touched]]
    return relative + wanted @ linear


class _Mixing:
    """Finds the cheapest mixture, looking only at the members that may take part in one.

    The prices of the elements in the cheapest mixture of some members tell which other members
    would make it cheaper; those join until there are none (column generation), and stay.
    """

    def __init__(self, members: FloatArray, cost: FloatArray) -> None:
        self.members, self.cost = members, cost
        self.some = np.zeros(len(members), dtype=bool)

    def facet(self, target: int) -> tuple[IndexArray, BoolArray]:
        """Return the members of the cheapest mixture with a member's composition, and the facet's.

        Returns:
            Keys of the mixture, and for all members whether they touch the facet, shape (N,).
        """
        # Half a second to import: runs that only use other analyses don't wait for it.
        from scipy.optimize import linprog

        self.some[target] = True
        while True:
            keys = np.flatnonzero(self.some)
            solved = linprog(
                self.cost[keys],
                A_eq=self.members[keys].T,
                b_eq=self.members[target],
                method="highs-ds",
            )
            if solved.status != 0:
                raise RuntimeError(f"convex hull: {solved.message}")
            gains = self.cost - self.members @ solved.eqlin.marginals
            best = np.argsort(gains)[:_JOINING]
            joining = best[(gains[best] < -ON_HULL / 10) & ~self.some[best]]
            if not joining.size:
                return keys[solved.x > 1e-12], gains < ON_HULL / 10
            self.some[joining] = True


def _cheapest(fractions: FloatArray, costs: FloatArray) -> dict[bytes, int]:
    """Return the cheapest member of each composition."""
    best: dict[bytes, int] = {}
    for i in np.lexsort((costs,)):
        best.setdefault(_key(fractions[i]), int(i))
    return best


def _key(shares: FloatArray) -> bytes:
    return shares.round(12).tobytes()
