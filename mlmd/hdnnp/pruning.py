"""Fewer symmetry functions that tell as much, chosen on data.

A recipe for any material makes more functions than one material needs: some are zero because
two elements never meet within the cutoff, many rise and fall together. For each central element,
on a sample of the frames:

1. functions that hardly vary are dropped, and of two that are the same but for a factor one;
2. of the rest it chooses one by one: cheap ones whose correlation |ρ| with every chosen one is
   below a limit; or those that tell most by farthest points or CUR, up to a number or until the
   chosen ones tell the others.

Everything follows from the correlations (`column_choice`), so that memory doesn't grow with the
atoms looked at.

Source: Imbalzano et al., J. Chem. Phys. 148, 241730 (2018), doi:10.1063/1.5024611.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from ase.data import atomic_numbers

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray, Frame
from mlmd.hdnnp.automatic import LEAST_SPREAD, Functions, elements_of
from mlmd.hdnnp.column_choice import IntArray, cur, farthest_points, uncorrelated
from mlmd.hdnnp.derivatives import DescriptorSet
from mlmd.hdnnp.potential import Potential, SymmetryFunction

# Atoms of each element to look at: a correlation of 0.99 is known to some 0.0005 from as many.
SAMPLE_ATOMS = 2000
# A kind of frames that comes up seldom is looked at, too: its pairs may meet nowhere else.
FRAMES_OF_A_KIND = 4
# |ρ| of functions that are the same but for a factor.
THE_SAME = 1.0 - 1e-10


class Selection(StrEnum):
    """How automatic symmetry functions are thinned out on the data.

    ``correlation``: of two that go together the cheaper one stays; ``farthest-point``: those that
    differ most; ``cur``: those that together tell the others. ``none`` drops only what is constant
    or doubled.
    """

    NONE = "none"
    CORRELATION = "correlation"
    FARTHEST_POINT = "farthest-point"
    CUR = "cur"


class Reason(StrEnum):
    """Why a function was dropped: it hardly varies, is another one's double, or others tell it."""

    CONSTANT = "constant"
    DOUBLED = "doubled"
    TOLD = "told"


@dataclass(frozen=True)
class Dropped:
    """A function that isn't used.

    Args:
        function: which.
        reason: why.
        like: the kept function that tells most of it; None where it hardly varies.
        correlation: |ρ| with that one, 0 to 1.
    """

    function: SymmetryFunction
    reason: Reason
    like: SymmetryFunction | None = None
    correlation: float = 0.0


@dataclass(frozen=True)
class ElementPruning:
    """What became of one element's functions.

    Args:
        element: symbol of the central atom.
        atoms: how many were looked at.
        kept: in the order they were offered; at least one, because a network needs an input.
        dropped: the others, in the same order.
    """

    element: str
    atoms: int
    kept: tuple[SymmetryFunction, ...]
    dropped: tuple[Dropped, ...]

    @property
    def offered(self) -> int:
        """How many functions there were."""
        return len(self.kept) + len(self.dropped)

    def count(self, reason: Reason) -> int:
        """Return how many were dropped for this reason."""
        return sum(item.reason is reason for item in self.dropped)


@dataclass(frozen=True)
class Pruning:
    """What became of all functions.

    Args:
        selection: how they were chosen.
        correlation_limit: above which |ρ| says the same; with ``cur`` the share of a function's
            spread that the kept ones tell.
        frames: how many were looked at.
        elements: one entry per element, sorted by atomic number.
    """

    selection: Selection
    correlation_limit: float
    frames: int
    elements: tuple[ElementPruning, ...]

    @property
    def functions(self) -> Functions:
        """The kept functions of every element."""
        return {part.element: part.kept for part in self.elements}

    @property
    def lines(self) -> tuple[str, ...]:
        """One sentence per element for a log."""
        return tuple(_words(part) for part in self.elements)


def prune(
    functions: Mapping[str, tuple[SymmetryFunction, ...]] | Potential,
    frames: Sequence[Frame],
    selection: Selection | str = Selection.CUR,
    count: int | None = None,
    correlation_limit: float = 0.999,
    threads: int = 1,
    atoms: int = SAMPLE_ATOMS,
) -> Pruning:
    """Choose functions that tell apart the surroundings in these frames.

    The same frames and functions give the same choice with any number of threads.

    Args:
        functions: of every element, symbols sorted by atomic number, lengths in Å; or a potential
            whose files are in Å.
        frames: to look at; labels play no part.
        selection: how.
        count: of functions that farthest points or CUR keep for each element at most; None for
            as many as the limit leaves.
        correlation_limit: above which |ρ| says the same, above 0, at most 1; with ``cur`` also the
            share of a function's spread that the kept ones have to tell.
        threads: frames worked out at the same time.
        atoms: of each element to look at, about.

    Raises:
        InvalidInput: an element has no atom in the frames, or a number is out of range.
    """
    if not 0.0 < correlation_limit <= 1.0:
        raise InvalidInput("correlation limit", f"{correlation_limit:g}", "above 0, at most 1")
    if count is not None and count < 1:
        raise InvalidInput("number of symmetry functions", f"{count}", "at least 1")
    if isinstance(functions, Potential):
        offered = DescriptorSet.of(functions)
    else:
        offered = DescriptorSet(tuple(functions), functions)
    rule = _Rule(Selection(selection), count, correlation_limit)
    sample = [frames[index] for index in sample_frames(frames, offered.elements, atoms)]
    parts = []
    found = _moments(offered, offered.values_of_many(sample, threads))
    for element, moments in zip(offered.elements, found, strict=True):
        if not moments.atoms:
            raise InvalidInput("frames", f"no atom of {element}", "every element of the functions")
        parts.append(_prune_element(element, offered.functions[element], moments, rule))
    return Pruning(rule.selection, correlation_limit, len(sample), tuple(parts))


def sample_frames(
    frames: Sequence[Frame], elements: Sequence[str], atoms: int = SAMPLE_ATOMS
) -> tuple[int, ...]:
    """Return ascending indices of frames that show enough atoms of every element.

    They are spread evenly over the frames sorted by kind and composition; of each of these there
    are some.

    Args:
        frames: all.
        elements: symbols whose atoms are needed; frames without any are left out.
        atoms: of each element, about.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for index, frame in enumerate(frames):
        groups.setdefault((frame.kind, elements_of(frame.numbers)), []).append(index)
    wanted: set[int] = set()
    for element in elements:
        z = atomic_numbers[element]
        mine = [members for (_, present), members in sorted(groups.items()) if element in present]
        ordered = [index for members in mine for index in members]
        if not ordered:
            continue
        mean = np.mean([np.count_nonzero(frames[index].numbers == z) for index in ordered])
        wanted.update(_spread(ordered, math.ceil(atoms / float(mean))))
        for members in mine:
            wanted.update(_spread(members, FRAMES_OF_A_KIND))
    return tuple(sorted(wanted))


@dataclass(frozen=True)
class _Rule:
    """What `prune` was asked for."""

    selection: Selection
    count: int | None
    limit: float

    def choose(self, correlation: FloatArray, prices: Sequence[tuple[float, ...]]) -> IntArray:
        """Return ascending indices of the functions to keep."""
        count = self.count or len(correlation)
        match self.selection:
            case Selection.CORRELATION:
                return uncorrelated(correlation, prices, self.limit)
            case Selection.FARTHEST_POINT:
                return np.sort(farthest_points(correlation, count, self.limit))
            case Selection.CUR:
                return np.sort(cur(correlation, count, self.limit))
        return np.arange(len(correlation))


@dataclass
class _Moments:
    """Running sums of one element's functions around a value of the data, which keeps digits."""

    atoms: int
    origin: FloatArray  # (S,)
    largest: FloatArray  # |G|, (S,)
    sums: FloatArray  # (S,)
    products: FloatArray  # (S, S)

    def add(self, values: FloatArray) -> None:
        """Take up rows (A, S)."""
        if not len(values):
            return
        if not self.atoms:
            self.origin = values[0].copy()
        away = values - self.origin
        self.atoms += len(values)
        self.largest = np.maximum(self.largest, np.abs(values).max(axis=0))
        self.sums += away.sum(axis=0)
        self.products += away.T @ away

    def covariance(self) -> FloatArray:
        """Return it, shape (S, S)."""
        mean = self.sums / self.atoms
        return np.asarray(self.products / self.atoms - np.outer(mean, mean))


def _moments(
    offered: DescriptorSet, parts_of: Iterable[tuple[tuple[IntArray, FloatArray], ...]]
) -> list[_Moments]:
    sizes = [len(offered.functions[element]) for element in offered.elements]
    found = [_Moments(0, np.zeros(s), np.zeros(s), np.zeros(s), np.zeros((s, s))) for s in sizes]
    for parts in parts_of:
        for moments, (_, values) in zip(found, parts, strict=True):
            moments.add(values)
    return found


def _prune_element(
    element: str, functions: tuple[SymmetryFunction, ...], moments: _Moments, rule: _Rule
) -> ElementPruning:
    covariance = moments.covariance()
    spread = np.sqrt(np.maximum(covariance.diagonal(), 0.0))
    varied = np.flatnonzero(spread > LEAST_SPREAD * np.maximum(moments.largest, 1.0))
    if not len(varied):
        rest = tuple(Dropped(function, Reason.CONSTANT) for function in functions[1:])
        return ElementPruning(element, moments.atoms, functions[:1], rest)
    scale = spread[varied]
    correlation = np.clip(covariance[np.ix_(varied, varied)] / np.outer(scale, scale), -1.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    prices = [_price(functions[index]) for index in varied]
    single = uncorrelated(correlation, prices, THE_SAME)
    left = correlation[np.ix_(single, single)]
    best = single[rule.choose(left, [prices[index] for index in single])]
    kept = tuple(functions[index] for index in varied[best])
    place = {int(index): row for row, index in enumerate(varied)}
    dropped = []
    for index, function in enumerate(functions):
        row = place.get(index)
        if row is None:
            dropped.append(Dropped(function, Reason.CONSTANT))
        elif row not in best:
            alike = np.abs(correlation[row, best])
            reason = Reason.TOLD if row in single else Reason.DOUBLED
            nearest = int(alike.argmax())
            dropped.append(Dropped(function, reason, kept[nearest], float(alike[nearest])))
    return ElementPruning(element, moments.atoms, kept, tuple(dropped))


def _price(function: SymmetryFunction) -> tuple[float, ...]:
    """Return what sorts functions by their cost: pairs before triplets, then ζ, then reach."""
    return (float(len(function.neighbors)), function.zeta, -function.eta)


def _spread(items: Sequence[int], count: int) -> list[int]:
    """Return so many items, evenly spaced, both ends among them."""
    if count >= len(items):
        return list(items)
    places = np.unique(np.linspace(0, len(items) - 1, count).round().astype(int))
    return [items[place] for place in places]


def _words(part: ElementPruning) -> str:
    reasons = (
        (Reason.CONSTANT, "hardly vary"),
        (Reason.DOUBLED, "double another one"),
        (Reason.TOLD, "are told by the kept ones"),
    )
    left_out = [f"{part.count(reason)} {words}" for reason, words in reasons if part.count(reason)]
    tail = f"; {', '.join(left_out)}" if left_out else ""
    return f"{part.element}: {len(part.kept)} of {part.offered} symmetry functions are kept{tail}"
