"""Fingerprints of structures and the axes of a map: what must not change them, what must."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from scipy.special import sph_harm_y

from mlmd.analysis.fingerprint import (
    BLOCKS,
    CUTOFF,
    LENGTH,
    element_places,
    fingerprint,
)
from mlmd.analysis.fingerprint_kernel import DEGREES, PAIRS, RADII, SHELLS
from mlmd.analysis.principal import Moments
from mlmd.errors import InvalidInput


def of(atoms: Atoms) -> np.ndarray:
    return fingerprint(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)


def rattled(seed: int, symbol: str = "Si", shift: float = 0.1, repeat: int = 1) -> Atoms:
    atoms = bulk(symbol, cubic=True).repeat(repeat)
    atoms.positions += np.random.default_rng(seed).normal(size=atoms.positions.shape) * shift
    return atoms


@pytest.mark.parametrize("atoms", [rattled(0), rattled(1, "Na"), molecule("CH3CH2OH")])
def test_turning_relabelling_and_shifting_change_nothing(atoms):
    rng = np.random.default_rng(5)
    other = atoms.copy()
    other.rotate(float(rng.uniform(0, 360)), rng.normal(size=3), rotate_cell=True)
    other = other[rng.permutation(len(other))]
    other.positions += rng.normal(size=3)
    assert of(other) == pytest.approx(of(atoms), abs=1e-9)


def test_a_mirror_image_looks_the_same():
    atoms = rattled(2)
    mirrored = atoms.copy()
    mirrored.positions[:, 0] *= -1
    assert of(mirrored) == pytest.approx(of(atoms), abs=1e-9)


def test_a_supercell_is_the_same_structure():
    atoms = rattled(3)
    assert of(atoms.repeat((2, 1, 3))) == pytest.approx(of(atoms), abs=1e-9)


def test_a_small_change_is_small_and_a_large_one_larger():
    start = of(rattled(4, shift=0.0))
    near, far = (np.linalg.norm(of(rattled(4, shift=s)) - start) for s in (0.001, 0.1))
    assert 0 < near < 0.1 * far


def test_no_two_elements_look_alike():
    found = np.array([of(Atoms([z], [[0, 0, 0]])) for z in range(1, 119)])
    gaps = [np.abs(a - b).max() for a, b in combinations(found, 2)]
    assert min(gaps) > 1e-3
    assert np.abs(element_places()).max() <= 1.0


def test_it_is_what_the_formulas_say():
    atoms = rattled(6, "Na")
    assert of(atoms) == pytest.approx(_slowly(atoms), abs=1e-9)


def _slowly(atoms: Atoms) -> np.ndarray:
    """Work the fingerprint out in NumPy, with the spherical harmonics of SciPy."""
    weights = element_places()[atoms.numbers]
    images = atoms.repeat((5, 5, 5))
    centre = 62 * len(atoms)
    step, wide = (CUTOFF - 0.8) / (RADII - 1), (CUTOFF - 0.8) / SHELLS
    radial = np.zeros((3, 3, RADII))
    angular = np.zeros((3, PAIRS, DEGREES))
    for i in range(len(atoms)):
        away = images.positions - images.positions[centre + i]
        r = np.linalg.norm(away, axis=1)
        near = (r > 1e-6) & (r < CUTOFF)
        away, r = away[near], r[near]
        shares = element_places()[images.numbers[near]]
        fade = 0.5 * (np.cos(np.pi * r / CUTOFF) + 1)
        gauss = np.exp(-(((r[:, None] - 0.8) / step - np.arange(RADII)) ** 2)) * fade[:, None]
        radial += weights[i][:, None, None] * (shares.T @ gauss)
        broad = ((r[:, None] - 0.8) / wide - np.arange(SHELLS) - 0.5) ** 2
        shells = np.exp(-2 * broad) * fade[:, None]
        polar, azimuth = np.arccos(away[:, 2] / r), np.arctan2(away[:, 1], away[:, 0])
        for degree in range(1, DEGREES + 1):
            orders = np.arange(-degree, degree + 1)
            values = sph_harm_y(degree, orders[:, None], polar, azimuth)
            density = np.einsum("pc,pn,mp->cnm", shares, shells, values)
            power = np.einsum("cnm,com->cno", density, density.conj()).real
            upper = np.triu_indices(SHELLS)
            angular[:, :, degree - 1] += power[:, *upper] * 4 * np.pi / (2 * degree + 1)
    _one, period, place = weights.T
    products = (period, place, period**2, place**2, period * place)
    averages = [np.mean(x) for x in products]
    return np.concatenate([averages, radial.ravel() / len(atoms), angular.ravel() / len(atoms)])


def test_known_kinds_of_structure_lie_apart_on_the_map():
    kinds = {
        "diamond": [rattled(i, "Si", 0.08, 2) for i in range(12)],
        "liquid": [rattled(i, "Si", 0.8, 2) for i in range(12)],
        "fcc": [rattled(i, "Cu", 0.08, 2) for i in range(12)],
        "bcc": [rattled(i, "Fe", 0.08, 2) for i in range(12)],
    }
    vectors = {kind: np.array([of(a) for a in some]) for kind, some in kinds.items()}
    moments = Moments(LENGTH)
    for some in vectors.values():
        moments.add(some)
    axes = moments.axes(2, BLOCKS)
    places = {kind: axes.coordinates(some) for kind, some in vectors.items()}
    for one, other in combinations(places, 2):
        apart = np.linalg.norm(places[one].mean(axis=0) - places[other].mean(axis=0))
        wide = max(places[kind].std(axis=0).max() for kind in (one, other))
        assert apart > 3 * wide, (one, other)
    assert axes.explained[0] >= axes.explained[1] > 0


def test_batches_of_any_size_give_the_axes_of_the_whole():
    rng = np.random.default_rng(7)
    vectors = rng.normal(size=(101, LENGTH)) * rng.uniform(0.1, 2, LENGTH) + 5
    whole, parts = Moments(LENGTH), Moments(LENGTH)
    whole.add(vectors)
    for batch in (vectors[:1], vectors[1:1], vectors[1:60], vectors[60:]):
        parts.add(batch)
    assert parts.mean == pytest.approx(vectors.mean(axis=0))
    assert parts.scatter == pytest.approx(np.cov(vectors.T, bias=True) * 101)
    one, other = whole.axes(2, BLOCKS), parts.axes(2, BLOCKS)
    assert other.coordinates(vectors) == pytest.approx(one.coordinates(vectors), abs=1e-8)


def test_a_map_that_grows_is_not_mirrored():
    rng = np.random.default_rng(8)
    vectors = rng.normal(size=(60, LENGTH)) * np.linspace(3, 0.1, LENGTH)
    moments = Moments(LENGTH)
    moments.add(vectors)
    before = moments.axes(2, BLOCKS)
    moments.add(vectors[:3] * 1.1)
    after = moments.axes(2, BLOCKS, -before.directions)
    assert (np.sign((after.directions * before.directions).sum(axis=1)) == -1).all()


def test_equal_structures_lie_on_one_point():
    moments = Moments(LENGTH)
    vectors = np.array([of(rattled(9)) for _ in range(4)])
    moments.add(vectors)
    assert moments.axes(2, BLOCKS).coordinates(vectors) == pytest.approx(np.zeros((4, 2)))


def test_no_vectors_have_no_axes():
    with pytest.raises(InvalidInput, match="some vectors"):
        Moments(LENGTH).axes(2, BLOCKS)
