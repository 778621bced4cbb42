"""Atoms and bonds that are held: lengths, energies, temperatures, pressures."""

import io
import signal
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from mlmd.errors import InvalidInput
from mlmd.md import Ensemble, MDSettings, Stage, run, settings_from_mapping
from mlmd.md.ensembles import make_integrator
from mlmd.md.integrators import BathSettings, Targets
from mlmd.md.starting import start_system
from mlmd.md.system import draw_velocities
from mlmd.runs import Stopped, StopRequest
from mlmd.units import K_BOLTZMANN
from tests.mlmd.md.providers import IdealGas, LennardJones, SoftMolecules

WATER = "O-H 0.9572, H-H 1.5139"
THERMOSTATS = [Ensemble.NVT_LANGEVIN, Ensemble.NVT_BUSSI, Ensemble.NVT_NOSE_HOOVER]


def water(side=3, spacing=3.3, wrapped=True):
    """Water molecules on a grid, each turned its own way and cut by the cell's faces."""
    rng = np.random.default_rng(4)
    atoms = Atoms(cell=[side * spacing] * 3, pbc=True)
    for place in np.ndindex(side, side, side):
        one = molecule("H2O")
        one.rotate(rng.uniform(0, 360), rng.normal(size=3))
        one.positions += np.array(place) * spacing
        atoms += one
    if wrapped:
        atoms.wrap()
    return atoms


def flowing(bonds=WATER, temperature=300.0, atoms=None, provider=None, **settings):
    atoms = water() if atoms is None else atoms
    provider = provider or SoftMolecules(np.arange(len(atoms)) // 3)
    system = start_system(MDSettings(rigid_bonds=bonds, **settings), atoms, provider)
    rng = np.random.default_rng(2)
    draw_velocities(system, temperature, rng)
    system.evaluate()
    return system, rng


def steps(system, rng, ensemble, count, settings, temperature=300.0, pressure=0.0, look=None):
    integrator = make_integrator(ensemble, settings, rng)
    targets = Targets(K_BOLTZMANN * temperature, pressure)
    rows = []
    for _ in range(count):
        integrator.step(system, targets)
        rows.append(look(system) if look else integrator.conserved(system, targets))
    return np.array(rows)


def stretch(system):
    """Return the largest deviation of a bond from its length, Å."""
    first, second = system.bonds.pairs.T
    d = np.linalg.norm(system.positions[second] - system.positions[first], axis=1)
    return float(np.abs(d - system.bonds.lengths).max())


def test_molecules_are_found_and_made_whole_across_the_faces_of_the_cell():
    atoms = water()
    system, _ = flowing()
    assert len(system.bonds.pairs) == 81
    assert len(np.unique(system.bonds.molecules)) == 27
    assert stretch(system) < 1e-10
    shifts = (system.positions - atoms.positions) / atoms.cell.lengths()
    assert np.abs(shifts - shifts.round()).max() < 0.002  # whole lattice vectors, but for lengths
    assert np.abs(shifts).max() > 0.9
    # Six degrees of freedom for each, without the common drift.
    assert system.degrees_of_freedom == 6 * 27 - 3
    assert system.temperature == pytest.approx(300)


@pytest.mark.parametrize("ensemble", [Ensemble.NVE, *THERMOSTATS, Ensemble.NPT, Ensemble.NPT_FULL])
def test_bonds_keep_their_lengths_and_nothing_moves_along_them(ensemble):
    system, rng = flowing()
    settings = BathSettings(2.0, 50.0, 200.0, 20.0, 5)
    worst = steps(system, rng, ensemble, 300, settings, pressure=0.001, look=stretch)
    assert worst.max() < 1e-8
    first, second = system.bonds.pairs.T
    along = np.einsum(
        "ba,ba->b",
        system.positions[second] - system.positions[first],
        system.velocities[second] - system.velocities[first],
    )
    assert np.abs(along).max() < 1e-10 * np.abs(system.velocities).max()
    if ensemble.moves_cell:
        assert abs(system.volume - 9.9**3) > 1


def test_the_energy_is_kept_to_second_order():
    spreads = []
    for step in (2.0, 1.0):
        system, rng = flowing()
        kept = steps(system, rng, Ensemble.NVE, int(1000 / step), BathSettings(step))
        spreads.append(kept.std())
    assert spreads[1] < 1e-4 * system.degrees_of_freedom * K_BOLTZMANN * 300
    assert spreads[0] / spreads[1] == pytest.approx(4, rel=0.3)


@pytest.mark.parametrize("ensemble", THERMOSTATS)
def test_translation_and_rotation_have_the_temperature(ensemble):
    """Each half of the kinetic energy has its share, which a wrong count would move by 3/4."""
    system, rng = flowing()
    mass = np.bincount(system.bonds.molecules, system.inertia[:, 0])

    def look(state):
        centers = state._centers(state.velocities)[::3]
        return state.temperature, 0.5 * (mass[:, None] * centers**2).sum()

    settings = BathSettings(2.0, 40.0)
    rows = steps(system, rng, ensemble, 3000, settings, look=look)[500:]
    blocks = rows.reshape(10, 250, 2).mean(axis=1)
    errors = blocks.std(axis=0, ddof=1) / np.sqrt(10)
    kT = K_BOLTZMANN * 300
    assert abs(blocks[:, 0].mean() - 300) < 4 * errors[0] + 0.5
    assert abs(blocks[:, 1].mean() - 1.5 * 26 * kT) < 4 * errors[1] + 0.01 * 39 * kT
    assert errors[1] < 0.06 * 39 * kT


def test_a_turning_dumbbell_presses_on_nothing():
    """The pull in its bond cancels the kinetic pressure of its rotation exactly."""
    atoms = Atoms("N2", [[1, 1, 1], [2.1, 1, 1]], cell=[6] * 3, pbc=True)
    settings = MDSettings(rigid_bonds="N-N 1.1")
    system = start_system(settings, atoms, IdealGas())
    system.velocities = np.array([[0, 0.01, 0.004], [0, -0.01, -0.004]])
    system.evaluate()
    assert system.kinetic_energy > 0.01
    assert system.pressure == pytest.approx(0, abs=1e-15)
    assert np.abs(system.strain_force).max() < 1e-15


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", [Ensemble.NPT, Ensemble.NPT_FULL])
def test_a_gas_of_rigid_molecules_has_the_volume_of_its_number(ensemble):
    """⟨V⟩ = N kT/P₀ with N molecules, not atoms; ⟨ΔV²⟩ = N (kT/P₀)²."""
    kT = K_BOLTZMANN * 300
    pressure = 27 * kT / 900.0
    settings = BathSettings(1.0, 20.0, 100.0, 1 / pressure, 2)
    system, rng = flowing(provider=IdealGas())

    def look(state):
        # Without collisions, translation and rotation would never share their energy.
        if state.step % 10 == 0:
            draw_velocities(state, 300.0, rng)
            state.velocities *= np.sqrt(rng.chisquare(159) / 159)
        return state.volume

    volumes = steps(system, rng, ensemble, 21_000, settings, 300.0, pressure, look)[1000:]
    blocks = volumes.reshape(20, -1)
    error = blocks.mean(axis=1).std(ddof=1) / np.sqrt(20)
    assert error < 30
    assert abs(blocks.mean() - 900) < 4 * error
    variance = ((blocks - 900) ** 2).mean(axis=1)
    assert abs(variance.mean() - 27 * (kT / pressure) ** 2) < 4 * variance.std(ddof=1) / 20**0.5


def test_a_stopped_run_with_rigid_bonds_goes_on_exactly(tmp_path):
    class Stopping(SoftMolecules):
        def compute(self, *arguments):
            if self.stop is not None:
                self.calls += 1
                if self.calls == 20:
                    self.stop.request(signal.SIGXCPU)
            return super().compute(*arguments)

    def go(folder, stop=None):
        provider = Stopping(np.arange(81) // 3)
        provider.calls, provider.stop = 0, stop
        run(settings, water(), provider, folder, stop=stop or StopRequest(), stream=io.StringIO())

    stages = (Stage(15, ensemble=Ensemble.NVT_LANGEVIN), Stage(15, ensemble=Ensemble.NPT_FULL))
    settings = MDSettings(stages=stages, rigid_bonds=WATER, time_step=2.0, trajectory_every=5)
    go(tmp_path / "whole")
    with pytest.raises(Stopped):
        go(tmp_path / "parts", StopRequest())
    go(tmp_path / "parts")
    for name in ("thermo.csv", "trajectory.mtj", "sq.json"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_atoms_are_held_by_number_element_and_place():
    atoms = bulk("Ar", "fcc", a=5.4, cubic=True).repeat(3)
    atoms.numbers[50:53] = 36
    settings = MDSettings(fixed_atoms="0-2, 100", fixed_elements="Kr", fixed_below=1.0)
    system = start_system(settings, atoms, LennardJones())
    held = ~system.free[:, 0]
    expected = (atoms.positions[:, 2] < 1.0) | (atoms.numbers == 36)
    expected[[0, 1, 2, 100]] = True
    assert np.array_equal(held, expected)
    assert 3 < held.sum() < 60
    assert system.degrees_of_freedom == 3 * int((~held).sum())
    rng = np.random.default_rng(0)
    draw_velocities(system, 40.0, rng)
    system.evaluate()
    steps(system, rng, Ensemble.NVT_LANGEVIN, 20, BathSettings(2.0), 40.0)
    assert np.array_equal(system.positions[held], atoms.positions[held])


def test_a_bond_to_a_held_atom_swings_about_it():
    atoms = water()
    system, rng = flowing(atoms=atoms, fixed_atoms="0", bonds="O-H")
    assert system.degrees_of_freedom == 3 * 80 - 54
    steps(system, rng, Ensemble.NVE, 100, BathSettings(1.0))
    assert np.array_equal(system.positions[0], atoms.positions[0])
    assert stretch(system) < 1e-8


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fixed_atoms": "3-1"}, "ranges from 0"),
        ({"fixed_atoms": "first"}, "ranges from 0"),
        ({"fixed_elements": "Xx"}, "symbols of elements"),
        ({"rigid_bonds": "OH"}, "pairs with lengths"),
        ({"rigid_bonds": "O-Q 1"}, "symbol of an element"),
        ({"rigid_bonds": "O-H 9.9"}, "0.3 to 5"),
        ({"rigid_bonds": "O-H 1.2.3"}, "0.3 to 5"),
        ({"rigid_bonds": "O-H 1, H-O 1"}, "twice"),
    ],
)
def test_words_that_mean_nothing_are_refused(values, message):
    with pytest.raises(InvalidInput, match=message):
        settings_from_mapping(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fixed_atoms": "81"}, "atoms from 0 to 80"),
        ({"fixed_elements": "Pt"}, "one of H, O"),
        ({"rigid_bonds": "O-H 1.15"}, "no pair O-H at such a distance"),
        ({"rigid_bonds": "O-H, H-H 2.5"}, "no pair H-H at such a distance"),
        ({"rigid_bonds": "H-H 1.5139"}, "longer than bonds"),
        ({"fixed_elements": "O, H"}, "every atom is fixed"),
        ({"fixed_atoms": "0", "stages": (Stage(ensemble=Ensemble.NPT),)}, "fixed atoms"),
    ],
)
def test_what_the_structure_does_not_have_is_refused(values, message):
    with pytest.raises(InvalidInput, match=message):
        start_system(replace(MDSettings(), **values), water(), IdealGas())


def test_a_network_through_the_whole_cell_is_refused():
    with pytest.raises(InvalidInput, match="through the cell"):
        start_system(MDSettings(rigid_bonds="Si-Si"), bulk("Si", cubic=True), IdealGas())


def test_more_bonds_than_a_rigid_body_needs_are_refused():
    carbon = Atoms("CO2", [[0, 0, 0], [1.16, 0, 0], [-1.16, 0, 0]], cell=[8] * 3, pbc=True)
    with pytest.raises(InvalidInput, match="3 atoms with 3 bonds"):
        start_system(MDSettings(rigid_bonds="C-O 1.16, O-O 2.32"), carbon, IdealGas())
