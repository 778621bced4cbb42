"""The first training set of a crystal: every kind, nothing absurd, the same for the same seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.data import covalent_radii

from mlmd.errors import InvalidInput
from mlmd.structure import closest_pair
from mlmd.structure.initial_set import InitialSetSettings, initial_set


def test_the_set_of_silicon_has_every_kind() -> None:
    silicon = bulk("Si", "diamond", a=5.43)
    members = initial_set(silicon, InitialSetSettings())
    assert Counter(member.kind for member in members) == {
        "equation of state": 11,
        "strain": 30,
        "displaced": 80,
        "vacancy": 20,
        "isolated atom": 1,
        "dimer": 10,
    }
    assert len({member.name for member in members}) == len(members)
    sizes = {
        kind: {len(m.atoms) for m in members if m.kind == kind} for kind in ("strain", "vacancy")
    }
    assert sizes == {"strain": {8}, "vacancy": {15}}
    volumes = [m.atoms.cell.volume / len(m.atoms) for m in members if m.kind == "equation of state"]
    assert volumes == sorted(volumes)
    np.testing.assert_allclose(volumes[5], silicon.cell.volume / 2, rtol=1e-9)
    np.testing.assert_allclose(volumes[-1] / volumes[5], 1.06**3, rtol=1e-9)


def test_nothing_comes_too_close_and_every_box_is_open() -> None:
    members = initial_set(bulk("NaCl", "rocksalt", a=5.64), InitialSetSettings(rattles=40))
    for member in members:
        pair = closest_pair(
            member.atoms.positions, member.atoms.cell.array, tuple(member.atoms.pbc)
        )
        if member.kind in {"displaced", "vacancy"} and pair is not None:
            z = member.atoms.numbers
            bond = covalent_radii[z[pair.first]] + covalent_radii[z[pair.second]]
            assert pair.distance > 0.6 * bond
        if member.kind in {"dimer", "isolated atom"}:
            assert not member.atoms.pbc.any()
            assert member.atoms.cell.volume == pytest.approx(12.0**3)
    names = {member.name.split()[0] for member in members if member.kind == "dimer"}
    assert names == {"Na–Na", "Na–Cl", "Cl–Cl"}
    gone = [Counter(m.atoms.get_chemical_symbols()) for m in members if m.kind == "vacancy"]
    assert {count["Na"] - count["Cl"] for count in gone} == {-1, 1}


def test_the_same_seed_gives_the_same_set() -> None:
    one, two, other = (
        initial_set(bulk("Cu"), InitialSetSettings(seed=seed, strains=3, rattles=3, vacancies=1))
        for seed in (5, 5, 6)
    )
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first.atoms.positions, second.atoms.positions)
    assert not np.allclose(one[12].atoms.cell.array, other[12].atoms.cell.array)


def test_what_is_no_crystal_or_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="isn't periodic"):
        initial_set(Atoms("Si2", [[0, 0, 0], [0, 0, 2.2]]), InitialSetSettings())
    nothing = InitialSetSettings(0, 0, 0, 0, 0, False)
    with pytest.raises(InvalidInput, match="0 structures"):
        initial_set(bulk("Si"), nothing)
    with pytest.raises(InvalidInput, match="rattles"):
        InitialSetSettings(rattles=100000)
