"""The run itself: stages one after the other, watched, saved, and able to go on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import numpy as np
from ase import Atoms

from mlmd.errors import InvalidInput
from mlmd.hdnnp.potential import Potential
from mlmd.loading import AnyPotential
from mlmd.md.candidates import Levels, levels_of
from mlmd.md.ensembles import make_integrator
from mlmd.md.forces import ForceProvider, PotentialForces
from mlmd.md.guard import BlowUp, DisagreementStop, ExtrapolationStop, check_motion, moment
from mlmd.md.integrators import Integrator, Targets
from mlmd.md.motion_settings import Velocities
from mlmd.md.observers import Observers
from mlmd.md.restart import RESTART_FILE, load_restart, save_restart
from mlmd.md.results import (
    RESULT_FILE,
    MDResult,
    RunStatus,
)
from mlmd.md.settings import MDSettings, check_settings, settings_from_mapping
from mlmd.md.stages import Stage, stress_tensor
from mlmd.md.starting import start_system
from mlmd.md.summary import summarise
from mlmd.md.system import draw_velocities
from mlmd.runs import Progress, StopRequest, write_json_atomic
from mlmd.units import EV_PER_A3_IN_GPA, K_BOLTZMANN

# Rounding gives the centre of mass a push of 1e-16 a step; taken out before it can add up.
DRIFT_EVERY = 100
STRONG_DRIFT = 1.0  # meV per atom and ps: worth a warning


def run(
    settings: MDSettings,
    atoms: Atoms,
    potential: AnyPotential | ForceProvider,
    run_dir: str | Path,
    *,
    stop: StopRequest | None = None,
    stream: TextIO | None = None,
    committee: Sequence[Potential] = (),
    levels: Levels | None = None,
) -> MDResult:
    """Run molecular dynamics in a directory, or go on with what is there.

    A directory with a saved state continues from it: with the same settings the outcome is
    that of an uninterrupted run.

    Args:
        settings: what to do.
        atoms: the structure.
        potential: a potential, or anything that gives energy and forces.
        run_dir: takes all files; made if it doesn't exist.
        stop: looked at after every step; None takes the process's signals.
        stream: takes progress lines; None for standard output.
        committee: potentials that only look on: how far they disagree at each stored frame goes
            into ``disagreement.csv``.
        levels: between which disagreements a frame is put aside as a candidate; None for those of
            the settings.

    Returns:
        The summary, which is also in ``result.json``.

    Raises:
        InvalidInput: settings or structure can't be used, or the directory holds another run.
        BlowUp: the dynamics went out of bounds.
        ExtrapolationStop: more extrapolations than the settings allow.
        DisagreementStop: a committee disagrees by more than the settings allow.
        Stopped: a signal came; the state is saved.
    """
    check_settings(settings)
    folder = Path(run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    provider: ForceProvider
    if isinstance(potential, AnyPotential):
        provider = PotentialForces(potential, settings.threads, settings.device)
    else:
        provider = potential
    levels = levels or levels_of(settings, None)
    md = _Run(settings, atoms, provider, folder, stream, committee, levels)
    if stop is not None:
        return md.execute(stop)
    with StopRequest() as own_stop:
        return md.execute(own_stop)


class _Run:
    """One run in one directory."""

    def __init__(
        self,
        settings: MDSettings,
        atoms: Atoms,
        provider: ForceProvider,
        run_dir: Path,
        stream: TextIO | None,
        committee: Sequence[Potential],
        levels: Levels | None,
    ) -> None:
        self.committee, self.levels = committee, levels
        self.settings, self.run_dir = settings, run_dir
        self.system = start_system(settings, atoms, provider)
        self.symbols = atoms.get_chemical_symbols()
        self.formula = atoms.get_chemical_formula()
        self.rng = np.random.Generator(np.random.PCG64(settings.seed))
        self.progress = Progress(run_dir, stream)
        self.conserved_offset = 0.0
        self.seconds = 0.0
        self.restart = load_restart(run_dir)
        self._use_stage(0)

    def execute(self, stop: StopRequest) -> MDResult:
        """Run all stages and return the summary."""
        self._begin()
        last_step = None if self.restart is None else self.restart.step
        warnings = None if self.restart is None else self.restart.extrapolations
        with Observers(
            self.run_dir,
            self.settings,
            self.system,
            self.symbols,
            last_step,
            warnings,
            self.committee,
            self.levels,
        ) as observers:
            self.observers = observers
            try:
                if last_step is None:
                    observers.watch(self.system)
                    observers.log(self.system, self._conserved(), 0)
                    observers.store(self.system, 0)
                self._run_stages(stop)
            except (BlowUp, ExtrapolationStop, DisagreementStop) as error:
                self._finish(RunStatus.FAILED, str(error))
                raise
            if stop.requested and self.system.step < self.settings.total_steps:
                self._save()
                self._finish(RunStatus.STOPPED)
                raise stop.stop(
                    f"State saved at {moment(self.system.step, self.settings.time_step)} of "
                    f"{self.settings.total_steps} steps."
                )
            self._save()
            return self._finish(RunStatus.FINISHED)

    def _begin(self) -> None:
        if self.restart is None:
            if self.settings.velocities == Velocities.DRAW:
                draw_velocities(self.system, self.settings.stages[0].temperature_start, self.rng)
            self.system.evaluate()
            return
        # Read, not compared as it lies there: an older state lacks what is at its default since.
        saved = settings_from_mapping(self.restart.settings, RESTART_FILE)
        if saved != replace(self.settings, threads=None):
            raise InvalidInput(
                f"{self.run_dir / RESTART_FILE}",
                "a state saved with other settings",
                "the settings of this run",
                "Use an empty directory for a new run.",
            )
        self.restart.apply(self.system)
        self._use_stage(self.restart.stage)
        self.integrator.recall(self.restart.memory)
        self.rng.bit_generator.state = self.restart.random
        self.conserved_offset = self.restart.conserved_offset
        self.seconds = self.restart.seconds

    def _run_stages(self, stop: StopRequest) -> None:
        first = 0
        for index, stage in enumerate(self.settings.stages):
            end = first + stage.steps
            if self.system.step < end:
                self._run_stage(index, stage, first, end, stop)
            if stop.requested:
                return
            first = end

    def _run_stage(self, index: int, stage: Stage, first: int, end: int, stop: StopRequest) -> None:
        if index != self.stage_index:
            # Each ensemble counts from its own zero; the log goes on without a jump.
            before = self._conserved()
            self._use_stage(index)
            self.conserved_offset += before - self._conserved()
        integrator, system, settings = self.integrator, self.system, self.settings
        limit, pressure = settings.highest_allowed_temperature, stage.pressure / EV_PER_A3_IN_GPA
        stress = stress_tensor(stage)
        pace = time.monotonic()
        while system.step < end and not stop.requested:
            done = (system.step + 1 - first) / stage.steps
            temperature = stage.temperature_at(done)
            self.targets = Targets(K_BOLTZMANN * temperature, pressure, stress)
            try:
                integrator.step(system, self.targets)
            except InvalidInput as error:
                # The potential refuses positions that no sound run would reach.
                place = moment(system.step + 1, settings.time_step)
                raise BlowUp(place, str(error), "positions that the potential can take") from error
            check_motion(system, settings.time_step, limit)
            self._observe(index, end)
            now = time.monotonic()
            self.seconds += now - pace
            self._report(index, stage, temperature)
            if self.observers.analysis_is_due():
                self.observers.analyse()
            pace = time.monotonic()

    def _observe(self, index: int, end: int) -> None:
        system, settings = self.system, self.settings
        self.observers.watch(system)
        if system.step % DRIFT_EVERY == 0:
            system.remove_drift()
        is_end = system.step == end
        if is_end or system.step % settings.sample_every == 0:
            self.observers.log(system, self._conserved(), index)
        is_last = system.step == settings.total_steps
        if is_last or system.step % settings.trajectory_every == 0:
            self.observers.store(system, index)
        if system.step % settings.checkpoint_every == 0 and not is_last:
            self._save()

    def _use_stage(self, index: int) -> None:
        stage = self.settings.stages[index]
        self.stage_index = index
        self.integrator: Integrator = make_integrator(stage.ensemble, self.settings.bath, self.rng)
        self.targets = Targets(
            K_BOLTZMANN * stage.temperature_start,
            stage.pressure / EV_PER_A3_IN_GPA,
            stress_tensor(stage),
        )

    def _conserved(self) -> float:
        return self.integrator.conserved(self.system, self.targets) + self.conserved_offset

    def _report(self, index: int, stage: Stage, target: float) -> None:
        system, total = self.system, self.settings.total_steps
        self.progress.report(
            system.step / (total + 1),  # 1 is said once the results are written
            f"stage {index + 1} of {len(self.settings.stages)}: {stage.kind.value}, "
            f"step {system.step} of {total}, {system.temperature:.0f} K (target {target:.0f} K)",
            stage=index,
            step=system.step,
            steps=total,
            temperature_k=system.temperature,
        )

    def _save(self) -> None:
        self.observers.trajectory.flush()
        state = {
            "stage": self.stage_index,
            "conserved_offset": self.conserved_offset,
            "random": self.rng.bit_generator.state,
            "settings": replace(self.settings, threads=None),
            "extrapolations": self.observers.extrapolation.summary(),
            "seconds": self.seconds,
        }
        save_restart(self.run_dir, self.system, state, self.integrator.memory())
        if isinstance(self.system.provider, PotentialForces):
            self.system.provider.renew()
        if self.observers.committee is not None:
            self.observers.committee.renew()

    def _finish(self, status: RunStatus, error: str = "") -> MDResult:
        """Write analyses and ``result.json``."""
        self.observers.analyse()
        result = summarise(
            self.run_dir,
            self.settings,
            self.system.step,
            status,
            error,
            self.seconds,
            self.formula,
            self.system.bond_count,
        )
        write_json_atomic(self.run_dir / RESULT_FILE, result)
        if status == RunStatus.FINISHED:
            self.progress.report(1.0, f"done: {result.steps} steps, {result.time_ps:g} ps")
        return result
