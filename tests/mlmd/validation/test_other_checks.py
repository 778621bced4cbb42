"""Dimers, parity, extrapolation, consistency, dynamics and speed."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from mlmd.hdnnp.calculator import HDNNPCalculator
from mlmd.hdnnp.potential import Scaling
from mlmd.validation.consistency import GRADIENT, SHIFT, VIRIAL, check_consistency
from mlmd.validation.dimers import BOND, DEPTH, REPULSIVE, check_dimers
from mlmd.validation.dynamics import (
    COST,
    DRIFT,
    MEAN_TEMPERATURE,
    SIMULATED,
    check_speed,
    check_stability,
)
from mlmd.validation.extrapolation import FRAMES_OUTSIDE, ExtrapolationMap, check_extrapolation
from mlmd.validation.parity import ALIGNED, ENERGY, ENERGY_INSIDE, FORCE, STRESS, check_parity
from mlmd.validation.report import Machine
from mlmd.validation.settings import ValidationSettings
from mlmd.validation.subject import Skipped, Subject
from tests.mlmd.md.providers import soft_potential
from tests.mlmd.validation.calculators import (
    Anchored,
    Exploding,
    Hollow,
    Morse,
    WrongForces,
    WrongStress,
    frame_of,
)

SETTINGS = ValidationSettings(steps=200, dynamics_atoms=4, speed_atoms=32, temperature=100.0)


def morse(calculator=None, **options):
    return Subject(calculator or Morse(), ("Cu",), 6.5, SETTINGS, **options)


def value(findings, label):
    return next(item.value for item in findings.values if item.label == label)


def shaken(count=6, seed=5):
    rng = np.random.default_rng(seed)
    frames = []
    for number in range(count):
        atoms = bulk("Cu", a=3.85 + 0.02 * number, cubic=True)
        atoms.positions += rng.normal(scale=0.08, size=atoms.positions.shape)
        frames.append(frame_of(atoms, Morse(), kind="hot" if number % 2 else "cold"))
    return frames


def geometry(atoms):
    return atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc


def dimer(r):
    return Atoms("Cu2", [[0, 0, 0], [r, 0, 0]])


def test_a_dimer_has_the_bond_that_was_put_in():
    findings = check_dimers(morse())
    assert value(findings, BOND) == pytest.approx(Morse.length, abs=5e-3)
    assert value(findings, DEPTH) == pytest.approx(Morse.depth, abs=2e-3)
    assert value(findings, REPULSIVE) < 1.2
    assert "no isolated dimers" in findings.notes[0]


def test_a_dimer_stands_beside_the_teachers():
    frames = [frame_of(dimer(r), Morse(), shift=-3.0) for r in np.linspace(2.2, 6, 30)]
    shifted = check_dimers(morse(frames=frames))
    assert shifted.values[0].reference == pytest.approx(Morse.length, abs=5e-3)
    assert shifted.values[1].reference is None
    assert "no free atoms" in shifted.notes[0]
    free = frame_of(Atoms("Cu"), Morse(), shift=-3.0)
    findings = check_dimers(morse(frames=[*frames, free]))
    assert findings.values[1].reference == pytest.approx(Morse.depth, abs=2e-3)
    curve, points = findings.plots[0].series
    assert np.allclose(points.y, np.interp(points.x, curve.x, curve.y), atol=0.02)


def test_a_dimer_in_a_small_box_is_no_dimer():
    crowded = dimer(2.5)
    crowded.set_cell([6, 6, 6])
    crowded.pbc = True
    assert len(check_dimers(morse(frames=[frame_of(crowded, Morse())])).plots[0].series) == 1


def test_a_hollow_at_short_distance_is_found():
    findings = check_dimers(morse(Hollow()))
    assert 2.0 < value(findings, REPULSIVE) < Morse.length
    assert any("fall into each other" in note for note in findings.notes)


def test_a_perfect_potential_has_no_errors():
    findings = check_parity(morse(frames=shaken()))
    for label in (ENERGY, FORCE, STRESS):
        assert value(findings, label) == pytest.approx(0.0, abs=1e-9)
    kinds, elements = findings.tables
    assert [row[:2] for row in kinds.rows] == [("cold", 3), ("hot", 3)]
    assert elements.rows[0][:2] == ("Cu", 24)
    assert [plot.name for plot in findings.plots] == [
        "parity-energy",
        "parity-force",
        "parity-stress",
    ]


def test_wrong_forces_show_in_the_errors():
    frames = shaken()
    largest = max(np.abs(frame.forces).max() for frame in frames)
    findings = check_parity(morse(WrongForces(), frames=frames))
    assert value(findings, FORCE) > 1.0
    assert value(findings, "Largest force error") == pytest.approx(50 * largest, rel=1e-6)
    assert value(findings, ENERGY) == pytest.approx(0.0, abs=1e-9)


def test_another_zero_of_energy_is_told_apart_from_errors():
    frames = [frame_of(bulk("Cu", a=a, cubic=True), Morse(), shift=2.5) for a in (3.8, 3.9, 4.0)]
    findings = check_parity(morse(frames=frames))
    assert value(findings, ENERGY) == pytest.approx(2500.0)
    assert value(findings, ALIGNED) == pytest.approx(0.0, abs=1e-6)
    assert any("another zero" in note for note in findings.notes)


def test_frames_outside_the_range_do_not_hide_the_errors_of_the_others():
    potential = soft_potential()
    calculator = HDNNPCalculator(potential, 1)
    cells = [bulk("Si", a=a) for a in (5.3, 5.4, 5.5)]
    values = [calculator.evaluator.symmetry_functions(*geometry(cell)).max() for cell in cells]
    known = Scaling(np.full(1, values[2] - 0.01), np.full(1, values[1] + 0.01), *np.ones((2, 1)))
    narrow = HDNNPCalculator(replace(potential, scaling={"Si": known}), 1)
    frames = [
        frame_of(cell, narrow, shift=shift) for cell, shift in zip(cells, (9, 0, 0), strict=True)
    ]
    findings = check_parity(Subject(narrow, ("Si",), 4.5, frames=frames))
    assert value(findings, ENERGY) == pytest.approx(9000 / np.sqrt(3))
    assert value(findings, ENERGY_INSIDE) == pytest.approx(0.0, abs=1e-9)
    assert any("In 1 of 3 frames" in note for note in findings.notes)


def test_without_data_there_is_nothing_to_compare():
    with pytest.raises(Skipped, match="No teacher data"):
        check_parity(morse())


def test_a_potential_without_ranges_has_no_extrapolation_map():
    with pytest.raises(Skipped, match="doesn't say"):
        check_extrapolation(morse(frames=shaken()))


def test_the_map_counts_atoms_and_keeps_the_farthest_value():
    kinds = [("atom", int), ("function", int), ("value", float), ("low", float), ("high", float)]
    found = ExtrapolationMap()
    first = np.array([(0, 3, 1.5, 0.0, 1.0), (0, 4, -0.1, 0.0, 1.0)], dtype=kinds)
    second = np.array([(1, 3, 1.7, 0.0, 1.0), (2, 3, -0.2, 0.0, 1.0)], dtype=kinds)
    assert found.add(["Si", "Si", "Si", "O"], first) == 1
    assert found.add(["Si", "Si", "Si", "O"], second) == 2
    assert found.share == pytest.approx(100 * 3 / 8)
    rows = found.table(lambda element, number: f"{element} {number}").rows
    assert rows[0] == ("Si", "Si 3", 50.0, 0.0, 1.0, 1.7)
    assert rows[1] == ("Si", "Si 4", 16.67, 0.0, 1.0, -0.1)
    assert ExtrapolationMap().table(str) is None


def test_functions_outside_their_range_are_named():
    potential = soft_potential()
    narrow = Scaling(np.full(1, 0.2), np.full(1, 0.3), np.zeros(1), np.ones(1))
    calculator = HDNNPCalculator(replace(potential, scaling={"Si": narrow}), 1)
    frames = [frame_of(bulk("Si", a=a), Morse(), kind=f"{a} Å") for a in (5.4, 9.0)]
    subject = Subject(calculator, ("Si",), 4.5, frames=frames)
    findings = check_extrapolation(subject)
    assert value(findings, FRAMES_OUTSIDE) == 100.0
    assert [row[2] for row in findings.tables[0].rows] == [100.0, 100.0]
    element, _, share, low, high, farthest = findings.tables[1].rows[0]
    assert (element, share, low, high) == ("Si", 100.0, 0.2, 0.3)
    assert farthest > high or farthest < low


def test_a_sound_potential_is_consistent():
    findings = check_consistency(morse())
    assert not findings.notes
    assert len(findings.values) == 8


@pytest.mark.parametrize(
    ("calculator", "label"),
    [(WrongForces(), GRADIENT), (Anchored(), SHIFT), (WrongStress(), VIRIAL)],
)
def test_an_inconsistent_potential_is_caught(calculator, label):
    findings = check_consistency(morse(calculator))
    assert any(note.startswith(label) for note in findings.notes)
    assert value(findings, label) > 0.1


def test_constant_energy_is_kept():
    findings = check_stability(morse())
    assert not findings.failure
    assert value(findings, SIMULATED) == pytest.approx(0.2)
    assert abs(value(findings, DRIFT)) < 0.1
    assert 60 < value(findings, MEAN_TEMPERATURE) < 140
    assert [plot.name for plot in findings.plots] == ["nve-energy", "nve-temperature"]


def test_a_run_that_blows_up_fails_with_the_moment():
    findings = check_stability(morse(Exploding()))
    assert "blew up" in findings.failure
    simulated = findings.values[0]
    assert simulated.value < simulated.reference == pytest.approx(0.2)


def test_dynamics_start_from_a_frame_where_there_is_no_crystal():
    frames = [frame_of(molecule("H2O"), Morse())]
    subject = Subject(Morse(), ("H", "O"), 6.5, ValidationSettings(steps=100), frames)
    findings = check_stability(subject)
    assert "0.5 fs" in findings.notes[0]
    with pytest.raises(Skipped, match="no structure"):
        check_stability(Subject(Morse(), ("H", "O"), 6.5))


def test_speed_is_a_positive_number():
    findings = check_speed(morse(), Machine("test", 1))
    assert value(findings, COST) > 0
    assert value(findings, "Atoms") == 32
