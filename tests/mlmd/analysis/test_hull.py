"""The convex hull of energies over compositions, against numbers worked out by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmd.analysis import hull_energies
from mlmd.documents.formula import formula_counts
from mlmd.errors import InvalidInput


def hull(**energies: float) -> dict[str, float]:
    found = hull_energies([formula_counts(f) for f in energies], list(energies.values()))
    return dict(zip(energies, found.tolist(), strict=True))


def test_one_element_has_its_lowest_energy():
    found = hull_energies([{"Si": 2}, {"Si": 8}, {"Si": 1}], [-5.0, -5.4, -4.0])
    assert found.tolist() == [-5.4, -5.4, -5.4]


def test_a_compound_above_the_line_could_fall_apart_along_it():
    # Li and LiO are on the hull; Li3O lies half-way between them.
    found = hull(Li=-2.0, O=-4.0, LiO=-5.0, Li3O=-3.0)
    assert found == pytest.approx({"Li": -2.0, "O": -4.0, "LiO": -5.0, "Li3O": -3.5})


def test_a_binary_without_its_elements_has_a_hull_of_what_is_there():
    found = hull(MgO=-6.0, MgO3=-5.0, MgO2=-5.0)
    # MgO2 is (2 MgO + 4 MgO3) / 6 by atoms: MgO2 = ½ MgO + ½ MgO3, of 2 and 4 atoms.
    assert found["MgO2"] == pytest.approx((2 * -6.0 + 4 * -5.0) / 6)
    assert found["MgO"] == -6.0


def test_a_ternary_falls_apart_into_what_costs_least():
    found = hull(Li=0.0, Fe=0.0, O=0.0, Li2O=-2.0, Fe2O3=-1.5, LiFeO2=-1.5, Li5FeO4=-1.0)
    # Li5FeO4 = 5/2 Li2O + 1/2 Fe2O3: (7.5 · −2 + 2.5 · −1.5) / 10.
    assert found["Li5FeO4"] == pytest.approx(-1.875)
    # ½ Li2O + ½ Fe2O3: (1.5 · −2 + 2.5 · −1.5) / 4 lies below LiFeO2's own −1.5.
    assert found["LiFeO2"] == pytest.approx(-1.6875)


def test_what_holds_another_element_is_no_part_of_a_mixture():
    assert hull(Si=-1.0, O=-1.0, SiO2=-1.2, SiO2H=-90.0)["SiO2"] == -1.2


def test_entries_on_the_hull_have_exactly_their_energy():
    energies = {"Na": -1.3107, "Cl": -1.79, "NaCl": -3.3911}
    assert hull(**energies) == energies


def test_what_is_no_number_is_refused():
    with pytest.raises(InvalidInput, match="finite"):
        hull_energies([{"Si": 1}], [np.nan])
    with pytest.raises(InvalidInput, match="without atoms"):
        hull_energies([{}], [1.0])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(0, 4)] * 3).filter(any), min_size=1, max_size=12, unique=True),
    st.randoms(use_true_random=False),
)
def test_the_hull_is_the_cheapest_of_all_mixtures_of_three(counts, random):
    energies = np.array([random.uniform(-3, 3) for _ in counts])
    compositions = [dict(zip(("A", "B", "C"), c, strict=True)) for c in counts]
    found = hull_energies(compositions, energies)
    shares = np.array(counts) / np.sum(counts, axis=1, keepdims=True)
    for target, value in zip(shares, found, strict=True):
        assert value == pytest.approx(_cheapest(shares, energies, target), abs=1e-7)


def _cheapest(shares: np.ndarray, energies: np.ndarray, target: np.ndarray) -> float:
    """Try every corner, edge and triangle: in three components no mixture needs more."""
    best = np.inf
    for size in (1, 2, 3):
        for some in itertools.combinations(range(len(shares)), size):
            corners = shares[list(some)]
            parts, *_rest = np.linalg.lstsq(corners.T, target, rcond=None)
            if np.abs(corners.T @ parts - target).max() < 1e-9 and parts.min() > -1e-9:
                best = min(best, float(parts @ energies[list(some)]))
    return best


def test_a_shift_per_element_shifts_the_hull_as_much():
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 9, (200, 5))
    compositions = [dict(zip("ABCDE", c.tolist(), strict=True)) for c in counts]
    shares = counts / counts.sum(axis=1, keepdims=True)
    energies = rng.normal(size=200)
    shift = shares @ np.array([-1000.0, -20.0, 3.0, 0.0, -5000.0])
    plain = energies - hull_energies(compositions, energies)
    assert (plain >= 0).all()
    assert energies + shift - hull_energies(compositions, energies + shift) == pytest.approx(
        plain, abs=1e-6
    )
