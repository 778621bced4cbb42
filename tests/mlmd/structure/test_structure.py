"""Reports on structures and builders."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmd.errors import InvalidInput
from mlmd.structure import (
    build_bulk,
    build_supercell,
    build_surface,
    build_vacancy,
    closest_pair,
    displace_randomly,
    strain,
    structure_report,
)


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 12),
    pbc=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    skew=st.floats(-3, 3),
)
@settings(max_examples=120, deadline=None)
def test_the_closest_pair_is_that_of_a_full_search(seed, count, pbc, skew):
    rng = np.random.default_rng(seed)
    cell = np.diag(rng.uniform(2, 9, 3)) + rng.uniform(-0.5, 0.5, (3, 3))
    cell[1, 0] += skew
    atoms = Atoms(
        numbers=[1] * count, positions=rng.uniform(-9, 15, (count, 3)), cell=cell, pbc=pbc
    )
    found = closest_pair(atoms.positions, atoms.cell.array, pbc)
    lengths = (
        neighbor_list("d", atoms, 40.0 if count == 1 else 30.0)
        if count < 4
        else neighbor_list("d", atoms, 12.0)
    )
    if found is None:
        assert count == 1
        assert not any(pbc)
        return
    if len(lengths):
        assert found.distance == pytest.approx(lengths.min(), abs=1e-9)
    assert 0 <= found.first < count
    assert 0 <= found.second < count


def test_silicon_is_described():
    report = structure_report(bulk("Si", cubic=True))
    assert (report.formula, report.formula_reduced, report.atoms) == ("Si8", "Si", 8)
    assert report.species == {"Si": 8}
    assert report.lengths == pytest.approx((5.43,) * 3)
    assert report.angles == pytest.approx((90,) * 3)
    assert report.density == pytest.approx(2.33, abs=0.01)
    assert report.space_group == "Fd-3m (227)"
    assert report.shortest_distance == pytest.approx(5.43 * 3**0.5 / 4)
    assert report.warnings == ()


def codes(atoms):
    return {w.code.value for w in structure_report(atoms).warnings}


def test_what_looks_wrong_is_said():
    cell = bulk("Si", cubic=True)
    overlapping = cell.copy()
    overlapping.positions[1] = overlapping.positions[0] + [0.05, 0, 0]
    assert "overlap" in codes(overlapping)
    close = cell.copy()
    close.positions[0] += 0.45
    assert codes(close) == {"close"}
    assert "thin" in codes(Atoms("H", cell=[30] * 3, pbc=True))
    assert "dense" in codes(Atoms("U2", positions=[[0, 0, 0], [1, 1, 1]], cell=[2] * 3, pbc=True))
    assert "flat-cell" in codes(Atoms("H", cell=[[1, 0, 0], [2, 0, 0], [0, 0, 1]], pbc=True))
    assert "no-cell" in codes(Atoms("H", pbc=True))
    assert "left-handed" in codes(Atoms("Si", cell=-3 * np.eye(3), pbc=True))
    assert "not-finite" in codes(Atoms("H", positions=[[np.nan, 0, 0]]))
    assert "unknown-element" in codes(Atoms("X"))
    assert "no-atoms" in codes(Atoms())


def test_a_molecule_has_no_density_and_no_space_group():
    report = structure_report(molecule("CH3CH2OH"))
    assert report.formula == "C2H6O"
    assert (report.volume, report.density, report.space_group) == (None, None, "")
    assert 0.9 < report.shortest_distance < 1.1


def test_a_hundred_thousand_atoms_are_reported_without_symmetry():
    atoms = bulk("Si", cubic=True).repeat((24, 23, 23))
    report = structure_report(atoms)
    assert report.atoms == 101_568
    assert report.shortest_distance == pytest.approx(5.43 * 3**0.5 / 4)
    assert [w.code.value for w in report.warnings] == ["symmetry-skipped"]


def test_everything_at_one_point_is_reported_quickly():
    atoms = Atoms("Si5000", positions=np.zeros((5000, 3)), cell=[50] * 3, pbc=True)
    report = structure_report(atoms)
    assert report.shortest_distance == 0
    assert "overlap" in {w.code.value for w in report.warnings}


@pytest.mark.parametrize(
    ("elements", "crystal", "a", "atoms"),
    [
        (["Si"], None, None, 8),
        (["Cu"], None, None, 4),
        (["Fe"], None, None, 2),
        (["Mg"], None, None, 4),
        (["Po"], "sc", 3.36, 1),
        (["Na", "Cl"], "rocksalt", 5.64, 8),
        (["Cs", "Cl"], "cesiumchloride", 4.12, 2),
        (["Ga", "As"], "zincblende", 5.65, 8),
        (["Ca", "F"], "fluorite", 5.46, 12),
        (["Zn", "O"], "wurtzite", 3.25, 8),
    ],
)
def test_crystals_are_built_conventional(elements, crystal, a, atoms):
    built = build_bulk(elements, crystal, a)
    assert len(built) == atoms
    assert set(built.get_chemical_symbols()) == set(elements)
    assert all(w.code != "overlap" for w in structure_report(built).warnings)


@pytest.mark.parametrize(
    ("elements", "crystal", "a"),
    [
        (["Qq"], "fcc", 4.0),
        (["Si"], "quasicrystal", 4.0),
        (["Na", "Cl"], "fcc", 4.0),
        (["Na", "Cl"], None, None),
        (["Na", "Cl"], "rocksalt", None),
        (["Si"], "diamond", -1.0),
    ],
)
def test_impossible_crystals_are_refused_in_words(elements, crystal, a):
    with pytest.raises(InvalidInput):
        build_bulk(elements, crystal, a)


def test_builders_leave_their_input_alone_and_drop_labels():
    cell = bulk("Si", cubic=True)
    before = cell.positions.copy()
    results = [
        build_supercell(cell, (2, 1, 1)),
        build_surface(cell, (1, 1, 1), layers=3),
        build_vacancy(cell, 3),
        displace_randomly(cell, 0.1),
        strain(cell, 0.02),
    ]
    np.testing.assert_array_equal(cell.positions, before)
    assert all(r.calc is None for r in results)
    assert [len(r) for r in results][0::2] == [16, 7, 8]


def test_a_surface_has_its_vacuum():
    slab = build_surface(bulk("Si", cubic=True), (1, 0, 0), layers=4, vacuum=8.0)
    span = np.ptp(slab.positions[:, 2])
    assert slab.cell.lengths()[2] - span == pytest.approx(16, abs=1e-6)
    assert slab.pbc.all()


def test_displacements_are_reproducible_and_of_the_right_size():
    cell = bulk("Si", cubic=True).repeat(5)
    a, b, c = (displace_randomly(cell, 0.1, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.positions, b.positions)
    assert not np.array_equal(a.positions, c.positions)
    assert np.std(a.positions - cell.positions) == pytest.approx(0.1, rel=0.05)


def test_strain_changes_the_volume_as_it_should():
    cell = bulk("Si", cubic=True)
    assert strain(cell, 0.01).get_volume() == pytest.approx(cell.get_volume() * 1.01**3)
    sheared = strain(cell, [0, 0, 0, 0, 0, 0.02])
    assert sheared.get_volume() == pytest.approx(cell.get_volume() * (1 - 0.02**2))
    np.testing.assert_allclose(
        sheared.get_scaled_positions(wrap=False), cell.get_scaled_positions(wrap=False), atol=1e-12
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda a: build_supercell(a, (0, 1, 1)),
        lambda a: build_supercell(a, (1000, 1000, 10)),
        lambda a: build_surface(a, (0, 0, 0)),
        lambda a: build_surface(a, (1, 1, 1), layers=0),
        lambda a: build_surface(molecule("H2O"), (1, 0, 0)),
        lambda a: build_vacancy(a, 8),
        lambda a: build_vacancy(Atoms("H"), 0),
        lambda a: displace_randomly(a, -1),
        lambda a: strain(a, [1, 2]),
        lambda a: strain(a, 0.9),
        lambda a: build_supercell(molecule("H2O"), (2, 1, 1)),
    ],
)
def test_impossible_requests_are_refused_in_words(call):
    with pytest.raises(InvalidInput):
        call(bulk("Si", cubic=True))
