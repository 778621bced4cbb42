"""Symmetry functions with compact support, flattened into what the kernels loop over, in Å."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmd.frame import FloatArray
from mlmd.hdnnp.symmetry.kind import (
    SHAPES,
    CompactAngularTerm,
    CompactRadialTerm,
    Term,
    Window,
)

IndexArray = NDArray[np.int64]
Placed = tuple[int, Term]  # function index, term


class WindowTables(NamedTuple):
    """Windows (see `Window`): 1 in the middle, 0 at a distance of 1/inverse_width from it."""

    shape: IndexArray  # an index of SHAPES
    center: FloatArray
    inverse_width: FloatArray


class CompactTables(NamedTuple):
    """Radial terms by (centre, neighbour element); angular: centre → groups → windows → terms."""

    radial_first: IndexArray  # (elements² + 1,)
    radial: WindowTables
    radial_weight: FloatArray
    radial_out: IndexArray
    group_first: IndexArray  # (elements + 1,)
    first_element: IndexArray  # per group
    second_element: IndexArray
    narrow: IndexArray  # 1 or 0
    window_first: IndexArray  # (groups + 1,)
    windows: WindowTables  # of distances
    term_first: IndexArray  # (windows + 1,)
    angle: IndexArray  # per term, its window of angles
    weight: FloatArray
    out: IndexArray
    angle_first: IndexArray  # (groups + 1,)
    angles: WindowTables  # the different ones of each group, radians


def window_in_angstrom(window: Window, unit: float) -> Window:
    """Return a window of distances given in units of ``unit`` Å."""
    return replace(window, left=window.left * unit, right=window.right * unit)


def window_tables(windows: Sequence[Window]) -> WindowTables:
    """Flatten windows."""
    return WindowTables(
        np.array([SHAPES.index(w.shape) for w in windows], dtype=np.int64),
        np.array([0.5 * (w.left + w.right) for w in windows], dtype=np.float64),
        np.array([2.0 / (w.right - w.left) for w in windows], dtype=np.float64),
    )


def compact_tables(placed: list[list[Placed]]) -> CompactTables:
    """Flatten the compact terms among those of every element; lengths in Å."""
    elements = len(placed)
    radial: list[tuple[int, CompactRadialTerm]] = []
    radial_first = [0]
    for terms in placed:
        for neighbor in range(elements):
            radial += [
                (out, t)
                for out, t in terms
                if isinstance(t, CompactRadialTerm) and t.neighbor == neighbor
            ]
            radial_first.append(len(radial))
    groups: list[tuple[int, int, bool]] = []
    windows: list[Window] = []
    angular: list[tuple[int, CompactAngularTerm]] = []
    angles: list[Window] = []
    angle: list[int] = []
    group_first, window_first, term_first, angle_first = [0], [0], [0], [0]
    for terms in placed:
        for key, members in _grouped(terms):
            known: dict[Window, int] = {}
            for window, same in members.items():
                angular += same
                angle += [known.setdefault(t.angles, len(angles) + len(known)) for _, t in same]
                windows.append(window)
                term_first.append(len(angular))
            groups.append(key)
            window_first.append(len(windows))
            angles += known
            angle_first.append(len(angles))
        group_first.append(len(groups))
    return CompactTables(
        _whole(radial_first),
        window_tables([t.window for _, t in radial]),
        np.array([t.weight for _, t in radial], dtype=np.float64),
        _whole([out for out, _ in radial]),
        _whole(group_first),
        _whole([key[0] for key in groups]),
        _whole([key[1] for key in groups]),
        _whole([key[2] for key in groups]),
        _whole(window_first),
        window_tables(windows),
        _whole(term_first),
        _whole(angle),
        np.array([t.weight for _, t in angular], dtype=np.float64),
        _whole([out for out, _ in angular]),
        _whole(angle_first),
        window_tables(angles),
    )


_Members = dict[Window, list[tuple[int, CompactAngularTerm]]]


def _grouped(terms: list[Placed]) -> list[tuple[tuple[int, int, bool], _Members]]:
    """Return one element's terms by element pair and width, and by window below that."""
    groups: defaultdict[tuple[int, int, bool], _Members] = defaultdict(dict)
    for out, t in terms:
        if isinstance(t, CompactAngularTerm):
            members = groups[t.first, t.second, t.narrow]
            members.setdefault(t.window, []).append((out, t))
    return sorted(groups.items())


def _whole(numbers: Sequence[int]) -> IndexArray:
    return np.array(numbers, dtype=np.int64)
