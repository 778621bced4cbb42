"""The repulsion of nuclei: its form, its place in a potential, its file."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mlmd.aenet.conversion import why_not_aenet
from mlmd.errors import InvalidInput
from mlmd.frame import Frame
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential, save_potential
from mlmd.hdnnp.gpu.evaluator import unsupported
from mlmd.hdnnp.repulsion import (
    ZBL,
    Repulsion,
    automatic_repulsion,
    pair_energies,
    read_repulsion,
    repulsion_tables,
)
from mlmd.hdnnp.training.short_range import ShortRange

# Bonds as short as they come, Å: CRC Handbook of Chemistry and Physics, molecules in the gas phase.
SHORTEST = {("H", "H"): 0.741, ("N", "N"): 1.098, ("C", "O"): 1.128, ("C", "C"): 1.203,
            ("H", "O"): 0.958, ("O", "O"): 1.208, ("H", "C"): 1.06, ("H", "F"): 0.917}  # fmt: skip


def curve(one: str, other: str, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    table = repulsion_tables(automatic_repulsion(sorted({one, other})), [one, other])
    return pair_energies(np.repeat(table[0, 1][None], len(r), axis=0), r)


def test_it_is_screened_coulomb_near_the_nuclei():
    r = np.array([1e-4])
    value, slope = curve("Si", "O", r)
    assert value[0] == pytest.approx(14 * 8 * 14.399645 / 1e-4, rel=1e-3)
    assert slope[0] == pytest.approx(-value[0] / 1e-4, rel=1e-3)


def test_it_is_smooth_and_ends_at_the_outer_radius():
    inner, outer = automatic_repulsion(["O", "Si"]).between("Si", "O")
    step = 1e-5
    for start, stop in ((0.5 * inner, outer - step), (inner - 4 * step, inner + 4 * step)):
        r = np.linspace(start, stop, 9)
        slope = curve("Si", "O", r)[1]
        numerical = (curve("Si", "O", r + step)[0] - curve("Si", "O", r - step)[0]) / (2 * step)
        np.testing.assert_allclose(slope, numerical, rtol=1e-7, atol=1e-7)
    value, slope = curve("Si", "O", np.array([outer - step, outer]))
    assert abs(value[1]) < 1e-12
    assert abs(slope[1]) < 1e-10
    # The curvature vanishes too: the slope falls off with the square of what is left.
    assert abs(slope[0]) < 2e3 * step**2


def test_it_reaches_no_bond():
    for (one, other), length in SHORTEST.items():
        assert automatic_repulsion([one, other]).between(one, other)[1] < length


def test_the_kernel_and_the_plain_sum_agree(potential, structure):
    """And with it, what training takes off the labels is what the potential puts back."""
    s = structure(2, 40)
    repulsion = automatic_repulsion(potential.elements, 0.7, 1.4)
    with_it = Evaluator(replace(potential, repulsion=repulsion), threads=2)
    without = Evaluator(potential, threads=2)
    whole, rest = with_it.compute(*s.arguments), without.compute(*s.arguments)
    frame = Frame(
        s.numbers.astype(np.uint8), s.positions, s.cell, s.pbc,
        energy=whole.energy, forces=whole.forces, stress=whole.stress,
    )  # fmt: skip
    short = ShortRange.of(frame, repulsion)
    assert short.energy > 1.0
    left = short.left_out(frame)
    assert left.energy == pytest.approx(rest.energy, rel=1e-11)
    np.testing.assert_allclose(left.forces, rest.forces, atol=1e-9 * np.abs(short.forces).max())
    np.testing.assert_allclose(left.stress, rest.stress, atol=1e-10)
    np.testing.assert_allclose(
        with_it.atomic_energies(*s.arguments), whole.atomic_energies, rtol=1e-12
    )
    assert whole.atomic_energies.sum() == pytest.approx(whole.energy)


def test_it_is_written_and_read_back(potential, tmp_path):
    repulsion = automatic_repulsion(potential.elements)
    save_potential(replace(potential, repulsion=repulsion), tmp_path)
    assert load_potential(tmp_path).repulsion == repulsion
    # What was there before isn't left behind.
    save_potential(potential, tmp_path)
    assert not (tmp_path / ZBL).exists()
    assert load_potential(tmp_path).repulsion is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(form="born-mayer"), "born-mayer"),
        (lambda c: c.update(length_unit="bohr"), "bohr"),
        (lambda c: c["pairs"].append(c["pairs"][0]), "twice"),
        (lambda c: c["pairs"][0].pop("inner"), "not readable"),
        (lambda c: c["pairs"][0].update(inner=9.0), "0 < inner"),
        (lambda c: c["pairs"][0].update(outer=float("nan")), "0 < inner"),
        (lambda c: c["pairs"][0].update(elements=["H", "Q"]), "'Q'"),
        (lambda c: c["pairs"][0].update(elements=["Cu", "H"]), "lighter"),
    ],
)
def test_a_damaged_file_is_refused_in_words(potential, tmp_path, change, message):
    save_potential(replace(potential, repulsion=automatic_repulsion(potential.elements)), tmp_path)
    content = json.loads((tmp_path / ZBL).read_text())
    change(content)
    with pytest.raises(InvalidInput, match=message):
        read_repulsion(json.dumps(content))


def test_text_that_is_no_json_is_refused():
    for text in ("", "[", "[]", "null", "[" * 100_000, b"\xff\xfe"):
        with pytest.raises(InvalidInput, match=ZBL):
            read_repulsion(text)


def test_what_does_not_fit_the_potential_is_refused(potential):
    with pytest.raises(InvalidInput, match="Au"):
        replace(potential, repulsion=automatic_repulsion(["Au"]))
    with pytest.raises(InvalidInput, match="largest cutoff"):
        replace(potential, repulsion=Repulsion({("H", "H"): (1.0, 50.0)}))


def test_who_cannot_have_it_says_so(potential):
    repelling = replace(potential, repulsion=automatic_repulsion(potential.elements))
    assert "repulsion" in unsupported(repelling)
    cosine = replace(repelling, cutoff_type=type(potential.cutoff_type)(1), cutoff_alpha=0.0)
    assert "ZBL" in why_not_aenet(cosine)


def test_radii_follow_the_covalent_ones():
    found = automatic_repulsion(["Si", "H"], 0.2, 0.5)
    assert set(found.radii) == {("H", "H"), ("H", "Si"), ("Si", "Si")}
    assert found.between("Si", "H") == found.between("H", "Si")
    assert found.between("Si", "H") == pytest.approx((0.2 * 1.42, 0.5 * 1.42))
    assert found.reach == pytest.approx(0.5 * 2.22)
