"""Molecular dynamics at constant energy: does it hold together, and how fast is it?"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from mlmd.errors import InvalidInput
from mlmd.hdnnp.calculator import PotentialCalculator
from mlmd.md.ensembles import Ensemble, make_integrator
from mlmd.md.forces import CalculatorForces, ForceProvider
from mlmd.md.guard import check_motion, moment
from mlmd.md.integrators import BathSettings, Integrator, Targets
from mlmd.md.system import System, draw_velocities, system_from_atoms
from mlmd.units import K_BOLTZMANN
from mlmd.validation.crystals import atoms_of, is_bulk
from mlmd.validation.extrapolation import ATOMS_OUTSIDE, ExtrapolationMap
from mlmd.validation.report import Machine, Plot, Table, Value, line
from mlmd.validation.subject import Findings, Skipped, Subject
from mlmd.validation.symmetry import repeats_for_atoms

DRIFT, NOISE, MEAN_TEMPERATURE = "Energy drift", "Energy fluctuation", "Mean temperature"
SIMULATED, PLANNED = "Simulated time", "planned"
MOVED = "Root mean square displacement"
CONSERVED, TEMPERATURE = "Total energy", "Temperature"
COST, TIMED_ATOMS, CORES, PACE = (
    "Time per atom and step", "Atoms", "Cores", "Simulated time per day",
)  # fmt: skip
# A crystal whose atoms wander farther has left its sites.
_WANDERED = 1.0  # Å
STRONG_DRIFT = 1.0  # meV/atom/ps
_PLOTTED = 200
_TIMED_STEPS, _LEAST_SECONDS, _MOST_STEPS = 5, 1.0, 200


@dataclass(frozen=True)
class Start:
    """Where a run begins.

    Args:
        atoms: the structure.
        is_relaxed: whether it is a minimum, whose atoms take half of the kinetic energy up.
        name: of what.
    """

    atoms: Atoms
    is_relaxed: bool
    name: str


@dataclass
class Record:
    """What was seen along a run: one entry for each step.

    Args:
        energies: total, eV/atom.
        temperatures: K.
        extrapolations: of all steps.
        end: why it ended early, empty where it didn't.
    """

    energies: list[float]
    temperatures: list[float]
    extrapolations: ExtrapolationMap
    end: str = ""


def check_stability(subject: Subject) -> Findings:
    """Run at constant energy and look at how well it is conserved.

    The drift is the slope of a straight line through the total energy, the first tenth left out.
    """
    settings, begin = subject.settings, start(subject, subject.settings.dynamics_atoms)
    step = time_step(subject, begin.atoms)
    system, integrator = _set_up(subject, begin, step)
    first = system.positions.copy()
    record = _run(subject, system, integrator, begin)
    done = len(record.energies) - 1
    values = [Value(SIMULATED, done * step / 1000, "ps", settings.steps * step / 1000, PLANNED)]
    plots = _plots(record, step)
    notes = [
        f"{begin.name}, {len(begin.atoms)} atoms, {settings.temperature:g} K, {step:g} fs a step."
    ]
    moved = float(np.sqrt(np.mean(np.sum((system.positions - first) ** 2, axis=1))))
    if not record.end:
        values += _conservation(record, step)
        if begin.is_relaxed:
            values.append(Value(MOVED, moved, "Å"))
        drift = values[1].value
        if drift is not None and abs(drift) > STRONG_DRIFT:
            notes.append("The energy drifts: take a smaller time step, and more data.")
        if begin.is_relaxed and moved > _WANDERED:
            notes.append(
                "Atoms leave their sites: the crystal does not survive with this potential."
            )
    tables: tuple[Table, ...] = ()
    if isinstance(subject.calculator, PotentialCalculator):
        values.append(Value(ATOMS_OUTSIDE, record.extrapolations.share, "%"))
        table = record.extrapolations.table(subject.function_name)
        tables = () if table is None else (table,)
    return Findings(tuple(values), plots, tables, tuple(notes), record.end)


def check_speed(subject: Subject, machine: Machine) -> Findings:
    """Time steps of dynamics, neighbour lists and integration included."""
    begin = start(subject, subject.settings.speed_atoms)
    step = time_step(subject, begin.atoms)
    system, integrator = _set_up(subject, begin, step)
    targets, atoms = Targets(0.0), len(begin.atoms)
    seconds: list[float] = []
    for number in range(_MOST_STEPS):
        subject.pause()
        began = time.perf_counter()
        integrator.step(system, targets)
        if number > 0:  # the first builds lists and wakes threads
            seconds.append(time.perf_counter() - began)
        if len(seconds) >= _TIMED_STEPS and sum(seconds) > _LEAST_SECONDS:
            break
    each = statistics.median(seconds)
    values = (
        Value(COST, 1e6 * each / atoms, "µs"),
        Value(TIMED_ATOMS, float(atoms)),
        Value(CORES, float(machine.cores)),
        Value(PACE, 86400 / each * step * 1e-6, "ns"),
    )
    named = f" on {machine.processor}" if machine.processor else ""
    return Findings(values, notes=(f"{begin.name}, {atoms} atoms{named}, {step:g} fs a step.",))


def time_step(subject: Subject, atoms: Atoms) -> float:
    """Return the time step that the settings ask for, or one that suits the atoms, fs."""
    if subject.settings.time_step is not None:
        return subject.settings.time_step
    return 0.5 if 1 in atoms.numbers else 1.0


def start(subject: Subject, least: int) -> Start:
    """Return a structure of at least so many atoms where it can be repeated.

    It is the first crystal that holds together, or else the teacher's frame of lowest energy.

    Raises:
        Skipped: there is neither.
    """
    for crystal in subject.found.crystals:
        try:
            relaxed = subject.relaxed(crystal)
        except InvalidInput:
            continue  # said by the checks of the crystal itself
        cell = relaxed.cell.conventional
        return Start(cell.repeat(repeats_for_atoms(cell, least)), True, crystal.name)
    known = set(subject.elements)
    frames = [
        frame
        for frame in subject.frames
        if frame.energy is not None and set(atoms_of(frame).symbols) <= known
    ]
    if not frames:
        raise Skipped("There is no structure to start from.")
    frames = [frame for frame in frames if is_bulk(frame)] or frames
    frame = min(frames, key=lambda frame: (frame.energy or 0.0) / len(frame))
    atoms = atoms_of(frame)
    if is_bulk(frame):
        atoms = atoms.repeat(repeats_for_atoms(atoms, least))
    return Start(atoms, False, f"{frame.kind or 'frame'} {atoms.get_chemical_formula()}")


def _set_up(subject: Subject, begin: Start, step: float) -> tuple[System, Integrator]:
    provider: ForceProvider = CalculatorForces(subject.calculator)
    if isinstance(subject.calculator, PotentialCalculator):
        provider = subject.calculator.evaluator
    system = system_from_atoms(begin.atoms, provider)
    rng = np.random.Generator(np.random.PCG64(subject.settings.seed))
    factor = 2 if begin.is_relaxed else 1
    draw_velocities(system, factor * subject.settings.temperature, rng)
    system.evaluate()
    return system, make_integrator(Ensemble.NVE, BathSettings(step), rng)


def _run(subject: Subject, system: System, integrator: Integrator, begin: Start) -> Record:
    settings = subject.settings
    symbols, atoms = begin.atoms.get_chemical_symbols(), len(begin.atoms)
    step = integrator.settings.time_step
    targets = Targets(K_BOLTZMANN * settings.temperature)
    record = Record([], [], ExtrapolationMap())
    limit = 10 * settings.temperature + 10_000
    for number in range(settings.steps + 1):
        subject.pause()
        if number:
            try:
                integrator.step(system, targets)
                check_motion(system, step, limit)
            except InvalidInput as error:
                record.end = f"{moment(number, step)}: {error.found}."
                break
        record.energies.append((system.energy + system.kinetic_energy) / atoms)
        record.temperatures.append(system.temperature)
        record.extrapolations.add(symbols, system.extrapolations)
    return record


def _conservation(record: Record, step: float) -> list[Value]:
    skip = len(record.energies) // 10
    energies = 1000 * np.array(record.energies[skip:])
    times = step / 1000 * np.arange(len(energies))
    slope, offset = np.polyfit(times, energies - energies[0], 1)
    rest = energies - energies[0] - slope * times - offset
    return [
        Value(DRIFT, float(slope), "meV/atom/ps"),
        Value(NOISE, float(np.sqrt(np.mean(rest**2))), "meV/atom"),
        Value(MEAN_TEMPERATURE, float(np.mean(record.temperatures[skip:])), "K"),
    ]


def _plots(record: Record, step: float) -> tuple[Plot, ...]:
    every = max(1, len(record.energies) // _PLOTTED)
    times = step / 1000 * np.arange(len(record.energies))[::every]
    energies = 1000 * (np.array(record.energies) - record.energies[0])[::every]
    return (
        Plot(
            "nve-energy", CONSERVED, "time (ps)", "change of energy (meV/atom)",
            (line(CONSERVED, times, energies),),
        ),
        Plot(
            "nve-temperature", TEMPERATURE, "time (ps)", "temperature (K)",
            (line(TEMPERATURE, times, record.temperatures[::every]),),
        ),
    )  # fmt: skip
