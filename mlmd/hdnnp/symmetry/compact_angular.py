"""Types 21, 22, 24 and 25: angular functions with compact support.

G = Σ_{j<k} C_θ(θ_ijk) C(r_ij) C(r_ik) (C(r_jk)), C a window of distances from r_l to r_c and
C_θ one of angles, without the faster fall of p1a to p4a; types 21 and 24 have C(r_jk), types 24 and 25 the weight Z_j Z_k.
Source: Bircher, Singraber, Dellago, Mach. Learn.: Sci. Technol. 2, 035026 (2021),
doi:10.1088/2632-2153/abf817.
"""

import math
from collections.abc import Sequence
from itertools import combinations_with_replacement

from ase.data import atomic_numbers

from mlmd.errors import InvalidInput
from mlmd.hdnnp.potential import SymmetryFunction
from mlmd.hdnnp.symmetry.compact_radial import check_window, read_shape
from mlmd.hdnnp.symmetry.kind import (
    CompactAngularTerm,
    FunctionKind,
    Window,
    read_numbers,
    write_numbers,
)


def _function(
    number: int, where: str, center: str, neighbors: tuple[str, ...], words: Sequence[str]
) -> SymmetryFunction:
    shape, rest = read_shape(where, words)
    left, cutoff, first, last = read_numbers(where, rest, "r_l r_c θ_l θ_r")
    check_window(where, left, cutoff)
    _check_angles(where, first, last)
    return SymmetryFunction(
        number, center, neighbors, 0.0, 0.0, 0.0, 0.0, cutoff, left, first, last, shape
    )


def _check_angles(where: str, first: float, last: float) -> None:
    middle = 0.5 * (first + last)
    if not (first < last <= first + 360.0):
        raise InvalidInput(where, f"θ_l = {first:g}° and θ_r = {last:g}°", "θ_l below θ_r")
    # Beyond 0° and 180° angles turn back: only a window symmetric about that end is smooth.
    if (first < 0.0 and middle != 0.0) or (last > 180.0 and middle != 180.0):
        raise InvalidInput(
            where,
            f"a window of angles from {first:g}° to {last:g}°",
            "one between 0° and 180°, or one symmetric about 0° or 180°",
        )


def _kind(number: int, name: str) -> FunctionKind:
    def parse(where: str, center: str, words: Sequence[str]) -> SymmetryFunction:
        if len(words) < 2:
            raise InvalidInput(where, "fewer than two neighbour elements", "two")
        unknown = [word for word in words[:2] if word not in atomic_numbers]
        if unknown:
            raise InvalidInput(where, f"neighbour {unknown[0]!r}", "an element symbol")
        pair = sorted(words[:2], key=lambda symbol: atomic_numbers[symbol])
        return _function(number, where, center, tuple(pair), words[2:])

    def parse_weighted(where: str, center: str, words: Sequence[str]) -> SymmetryFunction:
        return _function(number, where, center, (), words)

    weighted = number in (24, 25)
    return FunctionKind(number, name, parse_weighted if weighted else parse, _words, _terms)


def _words(function: SymmetryFunction) -> tuple[str, ...]:
    f = function
    numbers = write_numbers(f.left, f.cutoff, f.angle_left, f.angle_right)
    return (*f.neighbors, *numbers, f.shape)


def _terms(function: SymmetryFunction, elements: tuple[str, ...]) -> tuple[CompactAngularTerm, ...]:
    f = function
    window = Window(f.left, f.cutoff, f.shape)
    # The faster fall of p1a to p4a is for distances only.
    shape = f.shape.removesuffix("a")
    angles = Window(math.radians(f.angle_left), math.radians(f.angle_right), shape)
    narrow = f.kind in (21, 24)
    if f.neighbors:
        first, second = sorted(elements.index(symbol) for symbol in f.neighbors)
        return (CompactAngularTerm(first, second, window, angles, narrow, 1.0),)
    z = [float(atomic_numbers[symbol]) for symbol in elements]
    return tuple(
        CompactAngularTerm(a, b, window, angles, narrow, z[a] * z[b])
        for a, b in combinations_with_replacement(range(len(elements)), 2)
    )


COMPACT_NARROW = _kind(21, "compact narrow angular")
COMPACT_WIDE = _kind(22, "compact wide angular")
COMPACT_WEIGHTED_NARROW = _kind(24, "weighted compact narrow angular")
COMPACT_WEIGHTED_WIDE = _kind(25, "weighted compact wide angular")
