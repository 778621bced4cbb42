"""Barostats that change the cell's shape, against statistical mechanics and elasticity."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from mlmd.md.ensembles import Ensemble, make_integrator
from mlmd.md.integrators import BathSettings, Targets
from mlmd.md.system import draw_velocities, system_from_atoms
from mlmd.units import K_BOLTZMANN
from tests.mlmd.md.providers import IdealGas, SpringCrystal

SHAPES = [Ensemble.NPT_AXES, Ensemble.NPT_FULL]
VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])
A = 4.0


def crystal(temperature, seed=0):
    """108 atoms of a face-centred cubic crystal of springs, which has no thermal expansion to note."""
    atoms = bulk("Ar", "fcc", a=A, cubic=True).repeat(3)
    system = system_from_atoms(atoms, SpringCrystal(atoms, A / np.sqrt(2)))
    rng = np.random.default_rng(seed)
    draw_velocities(system, temperature, rng)
    system.evaluate()
    return system, rng


def stiffness_of(system):
    """Return C, shape (6, 6), eV/Å³, from the stress of small strains (atoms follow exactly)."""
    columns = []
    for a, b in zip(*VOIGT, strict=True):
        strain = np.zeros((3, 3))
        strain[a, b] += 0.5e-5
        strain[b, a] += 0.5e-5
        stresses = []
        for sign in (1, -1):
            F = np.eye(3) + sign * strain
            answer = system.provider.compute(
                system.numbers, system.positions @ F, system.cell @ F, system.pbc
            )
            stresses.append(answer.stress[VOIGT])
        columns.append((stresses[0] - stresses[1]) / 2e-5)
    return np.array(columns).T


def green_strain(cells, reference):
    F = np.linalg.solve(reference, cells)
    return 0.5 * (F @ np.swapaxes(F, -1, -2) - np.eye(3))


def sample(system, rng, ensemble, settings, targets, steps, every):
    integrator = make_integrator(ensemble, settings, rng)
    cells = []
    for step in range(steps):
        integrator.step(system, targets)
        if step % every == 0:
            cells.append(system.cell.copy())
    return np.array(cells)


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", SHAPES)
def test_an_ideal_gas_has_its_volume_and_fluctuation(ensemble):
    """Whatever shape the cell takes: mean N kT/P₀, variance N (kT/P₀)²."""
    rng = np.random.default_rng(10)
    kT = K_BOLTZMANN * 300
    pressure = 32 * kT / 1000.0
    atoms = Atoms("Ar32", rng.uniform(0, 9, (32, 3)), cell=[9] * 3, pbc=True)
    system = system_from_atoms(atoms, IdealGas())
    draw_velocities(system, 300.0, rng)
    system.evaluate()
    settings = BathSettings(1.0, 20.0, 100.0, 1 / pressure, 2)
    cells = sample(system, rng, ensemble, settings, Targets(kT, pressure), 40_000, 10)[200:]
    blocks = np.abs(np.linalg.det(cells)).reshape(20, -1)
    error = blocks.mean(axis=1).std(ddof=1) / np.sqrt(20)
    assert error < 20
    assert abs(blocks.mean() - 1000) < 4 * error
    variance = ((blocks - 1000) ** 2).mean(axis=1)
    expected = 32 * (kT / pressure) ** 2
    spread = variance.std(ddof=1) / np.sqrt(20)
    assert abs(variance.mean() - expected) < 4 * spread
    assert spread < 0.2 * expected


@pytest.mark.slow
def test_the_shape_fluctuates_with_the_elastic_constants():
    """⟨E E⟩ = kT/V · C⁻¹ for all six components of the strain."""
    system, rng = crystal(20.0)
    stiffness = stiffness_of(system)
    assert stiffness[0, 1] == pytest.approx(stiffness[3, 3], rel=1e-3)  # Cauchy's relation
    kT, volume = K_BOLTZMANN * 20.0, system.volume
    bulk_modulus = (stiffness[0, 0] + 2 * stiffness[0, 1]) / 3
    settings = BathSettings(4.0, 50.0, 60.0, 1 / bulk_modulus, 2)
    cells = sample(system, rng, Ensemble.NPT_FULL, settings, Targets(kT), 30_000, 5)[600:]
    strains = green_strain(cells, cells.mean(axis=0))[:, *VOIGT]
    strains[:, 3:] *= 2  # engineering strains
    expected = kT / volume * np.linalg.inv(stiffness)
    blocks = strains.reshape(18, -1, 6)
    products = np.einsum("bsi,bsj->bij", blocks, blocks) / blocks.shape[1]
    errors = products.std(axis=0, ddof=1) / np.sqrt(len(blocks))
    assert np.all(np.abs(products.mean(axis=0) - expected) < 4.5 * errors)
    assert errors.max() < 0.15 * expected.max()


def test_the_cell_does_not_turn_and_the_crystal_turns_with_it():
    system, rng = crystal(300.0)
    axes = bulk("Ar", "fcc", a=A).repeat(5)
    axes.rotate(40, (1, 2, 3), rotate_cell=True)
    system = system_from_atoms(axes, SpringCrystal(axes, A / np.sqrt(2)))
    draw_velocities(system, 300.0, rng)
    system.evaluate()
    before = system.cell.copy()
    settings = BathSettings(2.0, 50.0, 200.0, 5.0, 2)
    cells = sample(system, rng, Ensemble.NPT_FULL, settings, Targets(K_BOLTZMANN * 300), 400, 1)
    assert np.ptp(np.linalg.det(cells)) > 1
    along = before[0] / np.linalg.norm(before[0])
    normal = np.cross(before[0], before[1])
    for cell in cells[::50]:
        assert np.allclose(np.cross(cell[0], along), 0, atol=1e-9)
        assert np.dot(cell[1], normal) == pytest.approx(0, abs=1e-6)
        assert np.dot(cell[1], before[1]) > 0
    # Turned with the atoms: forces and stress are those of the positions.
    forces, stress = system.forces.copy(), system.stress.copy()
    system.evaluate()
    assert np.allclose(system.forces, forces, atol=1e-9)
    assert np.allclose(system.stress, stress, atol=1e-9)


def test_along_the_axes_a_box_stays_a_box():
    system, rng = crystal(300.0)
    settings = BathSettings(2.0, 50.0, 200.0, 5.0, 2)
    cells = sample(system, rng, Ensemble.NPT_AXES, settings, Targets(K_BOLTZMANN * 300), 400, 1)
    lengths = np.diagonal(cells, axis1=1, axis2=2)
    assert np.array_equal(cells, lengths[:, :, None] * np.eye(3))
    assert np.all(np.ptp(lengths, axis=0) > 0.01)
    assert np.ptp(lengths[-1]) > 0.001


@pytest.mark.parametrize("ensemble", SHAPES)
def test_a_stress_strains_the_crystal_as_its_stiffness_says(ensemble):
    system, rng = crystal(0.1)
    stiffness, reference = stiffness_of(system), system.cell.copy()
    stress = np.diag([0.002, -0.001, 0.0])
    if ensemble == Ensemble.NPT_FULL:
        stress[0, 1] = stress[1, 0] = 0.001
    settings = BathSettings(4.0, 50.0, 100.0, 5.0, 4)
    targets = Targets(K_BOLTZMANN * 0.1, 0.0, stress)
    cells = sample(system, rng, ensemble, settings, targets, 4000, 4)[200:]
    found = green_strain(cells, reference).mean(axis=0)[VOIGT]
    expected = np.linalg.solve(stiffness, stress[VOIGT]) / [1, 1, 1, 2, 2, 2]
    assert np.abs(found - expected).max() < 0.04 * np.abs(expected).max()


@pytest.mark.parametrize("ensemble", SHAPES)
def test_the_account_of_the_bath_is_kept_better_with_smaller_moves(ensemble):
    spans = []
    for interval in (8, 1):
        system, rng = crystal(100.0)
        settings = BathSettings(2.0, 100.0, 400.0, 5.0, interval)
        integrator = make_integrator(ensemble, settings, rng)
        stress = np.diag([0.002, 0.0, 0.0])
        targets = Targets(K_BOLTZMANN * 150.0, 0.001, stress)
        kept, energy = [], []
        for step in range(1600):
            integrator.step(system, targets)
            if step >= 200:
                kept.append(integrator.conserved(system, targets))
                energy.append(system.energy + system.kinetic_energy)
        spans.append(np.ptp(kept))
        assert np.ptp(kept) < 0.1 * np.ptp(energy)
    assert spans[1] < 0.7 * spans[0]
