"""Every ensemble against statistical mechanics."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from scipy import stats

from mlmd.md.ensembles import Ensemble, make_integrator
from mlmd.md.integrators import BathSettings, Targets
from mlmd.md.system import draw_velocities, system_from_atoms
from mlmd.units import K_BOLTZMANN
from tests.mlmd.md.providers import IdealGas, LennardJones, Springs

THERMOSTATS = [Ensemble.NVT_LANGEVIN, Ensemble.NVT_BUSSI, Ensemble.NVT_NOSE_HOOVER]


def argon(repeat=3, a=5.4, temperature=40.0, provider=None, seed=0):
    atoms = bulk("Ar", "fcc", a=a, cubic=True).repeat(repeat)
    system = system_from_atoms(atoms, provider or LennardJones(cutoff=8.0))
    rng = np.random.default_rng(seed)
    draw_velocities(system, temperature, rng)
    system.evaluate()
    return system, rng


def run(system, rng, ensemble, steps, temperature, pressure=0.0, settings=None, sample=1):
    """Return samples of (temperature, potential energy, conserved, volume, pressure)."""
    settings = settings or BathSettings(time_step=2.0)
    integrator = make_integrator(ensemble, settings, rng)
    targets = Targets(K_BOLTZMANN * temperature, pressure)
    rows = []
    for step in range(steps):
        integrator.step(system, targets)
        if step % sample == 0:
            rows.append(
                (
                    system.temperature,
                    system.energy,
                    integrator.conserved(system, targets),
                    system.volume,
                    system.pressure,
                )
            )
    return np.array(rows)


def test_constant_energy_does_not_drift():
    system, rng = argon(temperature=60.0)
    energy = run(system, rng, Ensemble.NVE, 3000, 60.0)[:, 2]
    slope = np.polyfit(np.arange(3000) * 2e-3, energy, 1)[0] / len(system.numbers)
    assert abs(slope) < 1e-6  # eV/atom/ps
    assert energy.std() / len(system.numbers) < 1e-5


def test_the_energy_error_is_of_second_order():
    errors = []
    for time_step in (4.0, 2.0):
        system, rng = argon(temperature=60.0)
        settings = BathSettings(time_step=time_step)
        steps = int(800 / time_step)
        errors.append(run(system, rng, Ensemble.NVE, steps, 60.0, settings=settings)[:, 2].std())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)


def test_the_dynamics_run_backwards():
    system, rng = argon()
    start = system.positions.copy()
    run(system, rng, Ensemble.NVE, 100, 40.0)
    system.velocities = -system.velocities
    run(system, rng, Ensemble.NVE, 100, 40.0)
    assert np.abs(system.positions - start).max() < 1e-10


def test_a_spring_swings_with_its_frequency():
    atoms = Atoms("H2", [[0, 0, 0], [1.6, 0, 0]])
    system = system_from_atoms(atoms, Springs(stiffness=5.0, length=1.5))
    system.evaluate()
    settings = BathSettings(time_step=0.05)
    reduced = float(system.inertia[0, 0]) / 2
    period = 2 * np.pi * np.sqrt(reduced / 5.0)
    steps = round(period / 0.05)
    run(system, np.random.default_rng(0), Ensemble.NVE, steps, 0.0, settings=settings)
    distance = np.linalg.norm(system.positions[1] - system.positions[0])
    assert distance == pytest.approx(1.6, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", THERMOSTATS)
def test_thermostats_give_the_canonical_kinetic_energy(ensemble):
    """2K/kT follows χ² with N_f degrees of freedom: mean N_f, variance 2 N_f."""
    atoms = Atoms("He8", np.random.default_rng(1).uniform(0, 5, (8, 3)), cell=[5] * 3, pbc=True)
    rng = np.random.default_rng(3)
    # Springs of one frequency are hard for a Nosé–Hoover chain, so argon for that one.
    provider = LennardJones(0.001, 1.2, 2.4) if ensemble == "nvt-nose-hoover" else Springs(0.5)
    if ensemble == Ensemble.NVT_NOSE_HOOVER:
        atoms = bulk("He", "fcc", a=2.5, cubic=True).repeat(2)
    system = system_from_atoms(atoms, provider)
    draw_velocities(system, 300.0, rng)
    system.evaluate()
    settings = BathSettings(time_step=0.5, thermostat_time=20.0)
    temperatures = run(system, rng, ensemble, 60_000, 300.0, settings=settings, sample=10)[500:, 0]
    n_f = system.degrees_of_freedom
    assert n_f == 3 * len(atoms) - 3
    # Errors from blocks: successive samples aren't independent.
    blocks = temperatures[: len(temperatures) // 20 * 20].reshape(20, -1)
    mean_error = blocks.mean(axis=1).std(ddof=1) / np.sqrt(20)
    assert abs(temperatures.mean() - 300) < 4 * mean_error + 0.6
    assert mean_error < 5
    variance = blocks.var(axis=1) + (blocks.mean(axis=1) - 300) ** 2
    expected = 300**2 * 2 / n_f
    assert variance.mean() == pytest.approx(
        expected, abs=4 * variance.std(ddof=1) / np.sqrt(20), rel=0.0
    )
    assert variance.std(ddof=1) / np.sqrt(20) < 0.1 * expected


def test_langevin_makes_each_velocity_component_normal():
    rng = np.random.default_rng(5)
    atoms = Atoms("HeArKrXe" * 2, rng.uniform(0, 5, (8, 3)), cell=[5] * 3, pbc=True)
    system = system_from_atoms(atoms, Springs(0.5))
    draw_velocities(system, 300.0, rng)
    system.evaluate()
    integrator = make_integrator(
        Ensemble.NVT_LANGEVIN, BathSettings(1.0, thermostat_time=10.0), rng
    )
    samples = []
    for step in range(20_000):
        integrator.step(system, Targets(K_BOLTZMANN * 300.0))
        if step % 100 == 0:
            samples.append(system.velocities.copy())
    total = system.inertia.sum()
    for atom in (0, 3):
        mass = float(system.inertia[atom, 0])
        # An atom whose centre of mass is held has its variance reduced by m/M.
        spread = np.sqrt(K_BOLTZMANN * 300.0 / mass * (1 - mass / total))
        values = np.array(samples)[:, atom].ravel()
        assert stats.kstest(values / spread, "norm").pvalue > 1e-3


def test_langevin_samples_the_configurations_of_a_spring():
    """⟨½k(r−l)²⟩ of a radial spring: ½kT up to the small curvature of r² dr."""
    rng = np.random.default_rng(6)
    atoms = Atoms("Ar40", np.zeros((40, 3)))
    atoms.positions[1::2, 0] = 3.0
    system = system_from_atoms(atoms, Springs(5.0, 3.0))
    draw_velocities(system, 300.0, rng)
    system.evaluate()
    settings = BathSettings(time_step=5.0, thermostat_time=50.0)
    rows = run(system, rng, Ensemble.NVT_LANGEVIN, 20_000, 300.0, settings=settings, sample=10)
    kT = K_BOLTZMANN * 300
    r = np.linspace(2, 4, 4001)
    weight = r**2 * np.exp(-2.5 * (r - 3) ** 2 / kT)
    exact = 20 * (weight * 2.5 * (r - 3) ** 2).sum() / weight.sum()
    values = rows[200:, 1]
    blocks = values.reshape(20, -1).mean(axis=1)
    error = blocks.std(ddof=1) / np.sqrt(20)
    assert abs(values.mean() - exact) < 4 * error
    assert error < 0.03 * exact


@pytest.mark.parametrize("ensemble", [*THERMOSTATS, Ensemble.NPT])
def test_the_conserved_quantity_is_conserved(ensemble):
    drifts = []
    for time_step in (4.0, 1.0):
        system, rng = argon(repeat=3, a=5.4, temperature=40.0)
        settings = BathSettings(
            time_step=time_step, thermostat_time=100.0, barostat_time=400.0, compressibility=50.0
        )
        steps = int(2400 / time_step)
        rows = run(system, rng, ensemble, steps, 60.0, settings=settings)
        drifts.append(np.ptp(rows[:, 2]))
        moved = np.ptp(rows[:, 1])
    # It stays while the energy itself moves a lot, and better with a smaller step.
    assert drifts[1] < 0.03 * moved
    assert drifts[1] < 0.6 * drifts[0]


@pytest.mark.parametrize("ensemble", THERMOSTATS)
def test_momentum_stays_zero(ensemble):
    system, rng = argon()
    run(system, rng, ensemble, 300, 40.0)
    momentum = (system.inertia * system.velocities).sum(axis=0)
    scale = (system.inertia * np.abs(system.velocities)).sum()
    assert np.abs(momentum).max() < 1e-12 * scale


@pytest.mark.parametrize("ensemble", [*THERMOSTATS, Ensemble.NPT])
def test_a_ramp_reaches_its_target(ensemble):
    system, rng = argon(temperature=10.0)
    settings = BathSettings(time_step=4.0, thermostat_time=100.0, compressibility=50.0)
    integrator = make_integrator(ensemble, settings, rng)
    temperatures, conserved = [], []
    for step in range(1500):
        targets = Targets(K_BOLTZMANN * (10.0 + 50.0 * min(step / 1000, 1.0)))
        integrator.step(system, targets)
        temperatures.append(system.temperature)
        conserved.append(integrator.conserved(system, targets))
    n_f = system.degrees_of_freedom
    assert np.mean(temperatures[1200:]) == pytest.approx(60.0, abs=4 * 60 * np.sqrt(2 / n_f) / 2)
    assert np.mean(temperatures[400:600]) == pytest.approx(35.0, abs=8.0)
    assert np.ptp(conserved) < 0.2


def test_an_ideal_gas_has_its_pressure():
    rng = np.random.default_rng(9)
    atoms = Atoms("Ar500", rng.uniform(0, 50, (500, 3)), cell=[50] * 3, pbc=True)
    system = system_from_atoms(atoms, IdealGas())
    draw_velocities(system, 300.0, rng)
    system.evaluate()
    kT = K_BOLTZMANN * 300
    assert system.pressure == pytest.approx(499 * kT / 50**3)


def test_pressure_is_the_slope_of_the_energy():
    system, _ = argon(a=5.2)
    system.velocities[:] = 0.0
    energies = []
    for scale in (1 - 1e-5, 1 + 1e-5):
        answer = system.provider.compute(
            system.numbers, system.positions * scale, system.cell * scale, system.pbc
        )
        energies.append(answer.energy)
    slope = -(energies[1] - energies[0]) / (system.volume * 6e-5)
    assert system.pressure == pytest.approx(slope, rel=1e-4)


@pytest.mark.slow
def test_an_ideal_gas_at_constant_pressure_has_its_volume_and_fluctuation():
    """With N atoms V follows a gamma distribution: mean N kT/P₀, variance N (kT/P₀)²."""
    rng = np.random.default_rng(10)
    kT = K_BOLTZMANN * 300
    pressure = 32 * kT / 1000.0
    atoms = Atoms("Ar32", rng.uniform(0, 9, (32, 3)), cell=[9] * 3, pbc=True)
    system = system_from_atoms(atoms, IdealGas())
    draw_velocities(system, 300.0, rng)
    system.evaluate()
    settings = BathSettings(
        time_step=1.0,
        thermostat_time=20.0,
        barostat_time=100.0,
        compressibility=1 / pressure,
        barostat_interval=2,
    )
    rows = run(system, rng, Ensemble.NPT, 120_000, 300.0, pressure, settings, sample=10)[500:]
    volumes = rows[:, 3]
    blocks = volumes[: len(volumes) // 20 * 20].reshape(20, -1)
    error = blocks.mean(axis=1).std(ddof=1) / np.sqrt(20)
    assert error < 12
    assert abs(volumes.mean() - 1000.0) < 4 * error
    variance = ((blocks - 1000.0) ** 2).mean(axis=1)
    expected = 32 * (kT / pressure) ** 2
    assert abs(variance.mean() - expected) < 4 * variance.std(ddof=1) / np.sqrt(20)
    assert variance.std(ddof=1) / np.sqrt(20) < 0.15 * expected
    assert rows[:, 0].mean() == pytest.approx(300.0, rel=0.03)


def test_a_crystal_at_constant_pressure_reaches_that_pressure():
    system, rng = argon(repeat=3, a=5.1, temperature=30.0)
    target = 0.002  # eV/Å³, 0.32 GPa
    settings = BathSettings(
        time_step=4.0, thermostat_time=100.0, barostat_time=300.0, compressibility=60.0
    )
    rows = run(system, rng, Ensemble.NPT, 4000, 30.0, target, settings, sample=5)[300:]
    blocks = rows[:500, 4].reshape(10, -1).mean(axis=1)
    error = blocks.std(ddof=1) / np.sqrt(10)
    assert abs(rows[:, 4].mean() - target) < 4 * error + 2e-5
    assert error < 1e-4
    assert rows[:, 3].std() > 0


def test_fixed_atoms_stay():
    from ase.constraints import FixAtoms

    atoms = bulk("Ar", "fcc", a=5.4, cubic=True).repeat(3)
    atoms.set_constraint(FixAtoms([0, 5]))
    system = system_from_atoms(atoms, LennardJones())
    rng = np.random.default_rng(0)
    draw_velocities(system, 40.0, rng)
    system.evaluate()
    assert system.degrees_of_freedom == 3 * 106
    for ensemble in THERMOSTATS:
        run(system, rng, ensemble, 20, 40.0)
    assert np.array_equal(system.positions[[0, 5]], atoms.positions[[0, 5]])
    assert np.abs(system.positions - atoms.positions).max() > 0.05


def test_drawn_velocities_have_the_temperature_and_no_drift():
    system, _ = argon(temperature=77.0)
    assert system.temperature == pytest.approx(77.0)
    assert np.abs((system.inertia * system.velocities).sum(axis=0)).max() < 1e-12


def test_velocities_agree_with_ase():
    system, _ = argon(temperature=77.0)
    from mlmd.md.system import atoms_from_system

    atoms = atoms_from_system(system)
    assert atoms.get_kinetic_energy() == pytest.approx(system.kinetic_energy, rel=1e-8)
    again = system_from_atoms(atoms, LennardJones())
    assert np.allclose(again.velocities, system.velocities)
