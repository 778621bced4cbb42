"""Neighbours against a search over all images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmd.errors import InvalidInput
from mlmd.neighbors import neighbor_list


def all_pairs(positions, cell, pbc, cutoff):
    """Every (i, j, vector) by going over all images that could matter."""
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    spread = np.abs(positions @ np.linalg.inv(cell)).max(initial=0) + 1
    reach = [
        int(np.ceil(cutoff / h + 2 * spread)) if p else 0 for h, p in zip(heights, pbc, strict=True)
    ]
    images = np.stack(
        np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij"), axis=-1
    ).reshape(-1, 3)
    pairs = []
    for i in range(len(positions)):
        for j in range(len(positions)):
            vectors = positions[j] - positions[i] + images @ cell
            near = np.linalg.norm(vectors, axis=1) < cutoff
            if i == j:
                near &= images.any(axis=1)
            pairs += [(i, j, *np.round(v, 6)) for v in vectors[near]]
    return sorted(pairs)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    atoms=st.integers(1, 12),
    pbc=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    cutoff=st.floats(0.8, 5.0),
)
def test_every_pair_is_found_once_in_any_cell(seed, atoms, pbc, cutoff):
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(1.5, 6.0, 3)) @ (np.eye(3) + rng.uniform(-0.3, 0.3, (3, 3)))
    positions = rng.uniform(-0.7, 1.7, size=(atoms, 3)) @ cell
    found = neighbor_list(positions, cell, pbc, cutoff)
    centers = np.repeat(np.arange(atoms), np.diff(found.first))
    pairs = sorted(
        (int(i), int(j), *np.round(v, 6))
        for i, j, v in zip(centers, found.neighbors, found.vectors, strict=True)
    )
    expected = all_pairs(positions, cell, pbc, cutoff)
    assert [p[:2] for p in pairs] == [p[:2] for p in expected]
    np.testing.assert_allclose(
        np.array(pairs, dtype=float), np.array(expected, dtype=float), atol=3e-6
    )


def test_a_crystal_has_its_shells():
    # fcc, one atom in a primitive cell far smaller than the cutoff: 12, 6, 24 neighbours.
    cell = np.array([[0, 2, 2], [2, 0, 2], [2, 2, 0]], dtype=float)
    found = neighbor_list(np.zeros((1, 3)), cell, True, 4 * np.sqrt(1.5) + 0.01)
    lengths = np.round(np.linalg.norm(found.vectors, axis=1), 6)
    values, counts = np.unique(lengths, return_counts=True)
    np.testing.assert_allclose(values, 4 * np.sqrt([0.5, 1.0, 1.5]), atol=1e-6)
    assert counts.tolist() == [12, 6, 24]


def test_two_molecules_far_apart_need_no_bins_between_them():
    positions = np.array([[0, 0, 0], [0, 0, 1.0], [1e7, 1e7, 1e7], [1e7, 1e7, 1e7 + 1.0]])
    found = neighbor_list(positions, np.zeros((3, 3)), False, 3.0)
    assert np.diff(found.first).tolist() == [1, 1, 1, 1]
    assert found.neighbors.tolist() == [1, 0, 3, 2]


def test_a_hundred_thousand_atoms_are_searched_in_proportion():
    rng = np.random.default_rng(0)
    side = 120.0
    positions = rng.uniform(0, side, size=(100_000, 3))
    found = neighbor_list(positions, np.eye(3) * side, True, 4.0)
    mean = np.diff(found.first).mean()
    expected = 100_000 / side**3 * 4 / 3 * np.pi * 4.0**3
    assert mean == pytest.approx(expected, rel=0.01)
    # Each pair is there from both sides.
    assert np.abs(found.vectors.sum(axis=0)).max() < 1e-6


@pytest.mark.parametrize(
    ("positions", "cell", "cutoff", "complaint"),
    [
        ([[0, 0, np.inf]], np.eye(3), 1.0, "atom 1: position"),
        ([[0, 0, 0]], np.zeros((3, 3)), 1.0, "without volume"),
        ([[0, 0, 0]], [[1, 0, 0], [2, 0, 0], [0, 0, 1]], 1.0, "without volume"),
        ([[0, 0, 0]], np.full((3, 3), np.nan), 1.0, "finite lattice"),
        ([[0, 0, 0]], np.eye(3), 0.0, "positive length"),
        ([[0, 0, 0]], np.eye(3) * 1e-4, 5.0, "so much smaller"),
    ],
)
def test_nonsense_is_refused(positions, cell, cutoff, complaint):
    with pytest.raises(InvalidInput, match=complaint):
        neighbor_list(positions, cell, True, cutoff)
