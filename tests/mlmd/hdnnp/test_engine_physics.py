"""What holds for every potential: symmetry, and forces and stress as slopes of the energy.

One contract for all families; a new family is one more parameter of the fixture ``family``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mlmd.aenet.evaluator import AenetEvaluator
from mlmd.hdnnp.evaluator import AtomwiseEvaluator, Evaluator
from mlmd.hdnnp.potential import Activation, CutoffType
from mlmd.hdnnp.repulsion import automatic_repulsion

CASES = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
periodicities = st.tuples(st.booleans(), st.booleans(), st.booleans())
seeds = st.integers(0, 10_000)


@pytest.fixture(scope="session", params=["exponential", "compact", "aenet", "repulsion"])
def family(request, potential, compact_potential, aenet_potential) -> AtomwiseEvaluator:
    if request.param == "aenet":
        return AenetEvaluator(aenet_potential, threads=1)
    # Radii beyond those of bonds, so that pairs of the cells below are within them.
    repelling = replace(potential, repulsion=automatic_repulsion(potential.elements, 0.7, 1.4))
    chosen = {"exponential": potential, "compact": compact_potential, "repulsion": repelling}[
        request.param
    ]
    return Evaluator(chosen, threads=1)


# The second derivative of a cosine cutoff jumps at r_c: a pair that crosses it within a step spoils
# that step's slope, not the one of a tenth of it; rounding spoils short steps where forces are small.
STEPS = (3e-4, 1e-4, 3e-5, 1e-5)


def slopes(function, count: int, step: float):
    """Fourth-order central differences of function(k, δ) for k = 0 … count − 1."""
    return np.array(
        [
            (
                8 * (function(k, step) - function(k, -step))
                - function(k, 2 * step)
                + function(k, -2 * step)
            )
            / (12 * step)
            for k in range(count)
        ]
    )


def force_error(evaluator: AtomwiseEvaluator, s) -> float:
    """Largest difference between forces and −dE/dx, relative to the largest force."""

    def energy(k: int, delta: float) -> float:
        x = s.positions.copy()
        x.flat[k] += delta
        return evaluator.compute(s.numbers, x, s.cell, s.pbc).energy

    forces = evaluator.compute(*s.arguments).forces
    errors = [
        np.abs(forces + slopes(energy, s.positions.size, step).reshape(-1, 3)).max()
        for step in STEPS
    ]
    return min(errors) / np.abs(forces).max()


@CASES
@given(seed=seeds, atoms=st.integers(1, 6), pbc=periodicities)
def test_forces_are_minus_the_slope_of_the_energy(family, structure, seed, atoms, pbc):
    # Cells of 1 to 6 atoms are smaller than the cutoff of 4 Å: atoms see their own images.
    s = structure(seed, atoms, pbc)
    if atoms == 1 and pbc == (False, False, False):
        assert not family.compute(*s.arguments).forces.any()
        return
    forces = family.compute(*s.arguments).forces
    if np.abs(forces).max() > 1e-6:
        assert force_error(family, s) < 1e-6


@pytest.mark.parametrize("alpha", [0.0, 0.4])
@pytest.mark.parametrize("kind", [k for k in CutoffType if k is not CutoffType.HARD])
def test_forces_follow_the_energy_for_every_cutoff_type(build_potential, structure, kind, alpha):
    evaluator = Evaluator(build_potential(kind, alpha), threads=1)
    # α makes a kink in the slope's slope, which a difference may step over.
    assert force_error(evaluator, structure(3, 5)) < (1e-6 if alpha == 0.0 else 1e-4)


@pytest.mark.parametrize("activation", [a for a in Activation if a is not Activation.RELU])
def test_forces_follow_the_energy_for_every_activation(build_potential, structure, activation):
    evaluator = Evaluator(build_potential(activation=activation), threads=1)
    assert force_error(evaluator, structure(4, 4)) < 1e-6


@pytest.mark.parametrize("number", [1, 8, 29])
def test_a_lone_atom_feels_nothing(family, number):
    found = family.compute([number], np.array([[3.0, -2.0, 1.0]]), np.zeros((3, 3)), False)
    boxed = family.compute([number], np.zeros((1, 3)), np.eye(3) * 40.0, True)
    assert not found.forces.any()
    assert not boxed.forces.any()
    assert not boxed.stress.any()
    assert found.energy == boxed.energy == found.atomic_energies[0]


def test_an_atom_that_sees_only_its_own_images_feels_pressure_but_no_force(family):
    cell = np.array([[2.1, 0.0, 0.0], [0.4, 2.3, 0.0], [-0.3, 0.5, 2.2]])
    one = family.compute([29], np.zeros((1, 3)), cell, True)
    assert np.abs(one.forces).max() < 1e-10
    assert np.abs(one.stress).max() > 1e-4
    pressed = family.compute([29], np.zeros((1, 3)), cell * 1.001, True)
    stretched = family.compute([29], np.zeros((1, 3)), cell * 0.999, True)
    slope = (pressed.energy - stretched.energy) / 0.002 / np.linalg.det(cell)
    assert np.trace(one.stress) == pytest.approx(slope, rel=1e-3)


@CASES
@given(seed=seeds, atoms=st.integers(1, 8))
def test_stress_is_the_slope_of_the_energy_under_strain(family, structure, seed, atoms):
    s = structure(seed, atoms)

    def energy(k: int, delta: float) -> float:
        strain = np.eye(3)
        a, b = divmod(k, 3)
        strain[a, b] += delta / 2
        strain[b, a] += delta / 2
        return family.compute(s.numbers, s.positions @ strain, s.cell @ strain, s.pbc).energy

    stress = family.compute(*s.arguments).stress
    volume = abs(np.linalg.det(s.cell))
    errors = [np.abs(stress - slopes(energy, 9, h).reshape(3, 3) / volume).max() for h in STEPS]
    assert min(errors) < 1e-6 * np.abs(stress).max()


@CASES
@given(seed=seeds, atoms=st.integers(2, 20), pbc=periodicities)
def test_relabelling_atoms_relabels_the_results(family, structure, seed, atoms, pbc):
    s = structure(seed, atoms, pbc)
    order = np.random.default_rng(seed).permutation(atoms)
    one = family.compute(*s.arguments)
    two = family.compute(s.numbers[order], s.positions[order], s.cell, s.pbc)
    assert two.energy == pytest.approx(one.energy, rel=1e-12)
    np.testing.assert_allclose(two.forces, one.forces[order], atol=1e-10)
    np.testing.assert_allclose(two.atomic_energies, one.atomic_energies[order], rtol=1e-11)


@CASES
@given(seed=seeds, pbc=periodicities, mirror=st.booleans())
def test_rotation_and_inversion_turn_forces_and_stress(family, structure, seed, pbc, mirror):
    s = structure(seed, 9, pbc)
    turn = Rotation.random(random_state=seed).as_matrix() * (-1.0 if mirror else 1.0)
    one = family.compute(*s.arguments)
    two = family.compute(s.numbers, s.positions @ turn.T, s.cell @ turn.T, s.pbc)
    assert two.energy == pytest.approx(one.energy, rel=1e-12)
    np.testing.assert_allclose(two.forces, one.forces @ turn.T, atol=1e-10)
    np.testing.assert_allclose(two.stress, turn @ one.stress @ turn.T, atol=1e-12)


@CASES
@given(seed=seeds, pbc=periodicities)
def test_moving_all_atoms_or_one_by_a_lattice_vector_changes_nothing(family, structure, seed, pbc):
    s = structure(seed, 7, pbc)
    rng = np.random.default_rng(seed)
    jumps = rng.integers(-2, 3, size=(7, 3)) * np.array(pbc)
    one = family.compute(*s.arguments)
    x = s.positions + rng.normal(size=3) * 5.0 + jumps @ s.cell
    two = family.compute(s.numbers, x, s.cell, s.pbc)
    assert two.energy == pytest.approx(one.energy, rel=1e-11)
    np.testing.assert_allclose(two.forces, one.forces, atol=1e-9)
    assert np.abs(one.forces.sum(axis=0)).max() < 1e-10


@CASES
@given(seed=seeds, repeats=st.tuples(*[st.integers(1, 3)] * 3))
def test_a_supercell_has_as_many_times_the_energy(family, structure, seed, repeats):
    s = structure(seed, 3)
    copies = int(np.prod(repeats))
    shifts = np.array(list(np.ndindex(*repeats))) @ s.cell
    x = (s.positions[None] + shifts[:, None]).reshape(-1, 3)
    one = family.compute(*s.arguments)
    many = family.compute(np.tile(s.numbers, copies), x, s.cell * np.array(repeats)[:, None], s.pbc)
    assert many.energy == pytest.approx(copies * one.energy, rel=1e-12)
    np.testing.assert_allclose(many.forces, np.tile(one.forces, (copies, 1)), atol=1e-10)
    np.testing.assert_allclose(many.stress, one.stress, atol=1e-12)


def test_the_energy_is_smooth_where_an_atom_crosses_the_cutoff(family):
    # Type 12 with r_c = 4 Å is the longest: beyond it two atoms don't know of each other.
    numbers = np.array([1, 8])

    def at(distance: float):
        x = np.array([[0.0, 0.0, 0.0], [distance, 0.0, 0.0]])
        return family.compute(numbers, x, np.zeros((3, 3)), False)

    alone, far, near = at(50.0), at(4.0), at(4.0 - 1e-4)
    assert far.energy == pytest.approx(alone.energy, rel=1e-15)
    assert not far.forces.any()
    assert near.energy == pytest.approx(alone.energy, rel=1e-9)
    assert np.abs(near.forces).max() < 1e-6
