"""Everything that looks at a run without changing it: log, trajectory, analyses, warnings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import astuple
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mlmd.analysis.runs import (
    MOTION_WORK_LIMIT,
    SCATTERING_WORK_LIMIT,
    WORK_LIMIT,
    last_stage,
    trajectory_coordination,
    trajectory_motion,
    trajectory_radial,
    trajectory_structure_factor,
)
from mlmd.errors import InvalidInput
from mlmd.hdnnp.potential import Potential
from mlmd.md.candidates import (
    OUTSIDE_COLUMNS,
    OUTSIDE_FILE,
    Levels,
    outside_row,
    write_candidates,
)
from mlmd.md.committee import CommitteeLog, DisagreementRow
from mlmd.md.extrapolation import ExtrapolationLog
from mlmd.md.guard import DisagreementStop, ExtrapolationStop, moment
from mlmd.md.results import (
    COORDINATION_FILE,
    EXTRAPOLATION_FILE,
    MOTION_FILE,
    RADIAL_FILE,
    SCATTERING_FILE,
    TRAJECTORY_FILE,
)
from mlmd.md.rows import RowLog
from mlmd.md.settings import MDSettings, OnDisagreement, OnExtrapolation
from mlmd.md.system import System
from mlmd.md.thermo import ThermoLog, ThermoRow
from mlmd.runs import to_jsonable, write_json_atomic
from mlmd.trajectory import TrajectoryFrame, TrajectoryReader, TrajectoryWriter
from mlmd.units import EV_PER_A3_IN_GPA

# Analyses may take this share of the run's time.
ANALYSIS_SHARE = 0.1


class Observers(AbstractContextManager["Observers"]):
    """Writes the files of a run while it goes on.

    Args:
        run_dir: the run's directory.
        settings: how often to write what.
        system: the start, or the state that a restart continues from.
        symbols: chemical symbol of each atom.
        last_step: step that a restart continues from; None for a new run.
        extrapolations: summary that a restart continues from.
        committee: potentials whose disagreement is written beside each frame; may be empty.
        levels: between which disagreements a frame is a candidate; None where none are known.
    """

    def __init__(
        self,
        run_dir: Path,
        settings: MDSettings,
        system: System,
        symbols: list[str],
        last_step: int | None,
        extrapolations: dict[str, Any] | None,
        committee: Sequence[Potential] = (),
        levels: Levels | None = None,
    ) -> None:
        self.run_dir, self.settings, self.levels = run_dir, settings, levels
        self.extrapolation = ExtrapolationLog(symbols)
        if extrapolations:
            self.extrapolation.restore(extrapolations)
        self._analysis_seconds = 0.0
        self._last_analysis = time.monotonic()
        self._unsaved_warnings = True
        with ExitStack() as stack:
            self.thermo = stack.enter_context(ThermoLog(run_dir, last_step))
            self.trajectory = stack.enter_context(
                TrajectoryWriter(
                    run_dir / TRAJECTORY_FILE,
                    system.numbers,
                    system.positions,
                    system.pbc,
                    with_velocities=settings.store_velocities,
                    append=last_step is not None,
                    last_step=last_step,
                )
            )
            self.committee: CommitteeLog | None = None
            if committee:
                self.committee = stack.enter_context(
                    CommitteeLog(run_dir, committee, settings.threads, last_step)
                )
            self.outside = stack.enter_context(
                RowLog(run_dir / OUTSIDE_FILE, OUTSIDE_COLUMNS, last_step)
            )
            self._stack = stack.pop_all()

    def log(self, system: System, conserved: float, stage: int) -> None:
        """Append a row to the log."""
        kinetic = system.kinetic_energy
        self.thermo.write(
            ThermoRow(
                step=system.step,
                time_ps=system.step * self.settings.time_step / 1000,
                temperature_k=system.temperature,
                potential_energy_ev=system.energy,
                kinetic_energy_ev=kinetic,
                total_energy_ev=system.energy + kinetic,
                conserved_ev=conserved,
                pressure_gpa=system.pressure * EV_PER_A3_IN_GPA,
                density_g_cm3=system.density,
                volume_a3=system.volume,
                stage=stage,
            )
        )

    def store(self, system: System, stage: int) -> None:
        """Append a frame to the trajectory, and what a committee says of it.

        Raises:
            DisagreementStop: it says more than the settings allow.
        """
        self.trajectory.write(
            TrajectoryFrame(
                step=system.step,
                time=system.step * self.settings.time_step,
                cell=system.cell,
                positions=system.positions,
                energy=system.energy,
                kinetic_energy=system.kinetic_energy,
                stage=stage,
                velocities=system.velocities if self.settings.store_velocities else None,
            )
        )
        time_ps = system.step * self.settings.time_step / 1000
        self.outside.write(astuple(outside_row(system.step, time_ps, system.extrapolations)))
        if self.committee is not None:
            self._check_disagreement(self.committee.write(system, time_ps))

    def watch(self, system: System) -> None:
        """Note extrapolations of a step.

        Raises:
            ExtrapolationStop: there are more than the settings allow.
        """
        if not len(system.extrapolations):
            return
        self.extrapolation.add(system.step, system.extrapolations)
        self._unsaved_warnings = True
        limit = self.settings.extrapolation_limit
        stops = self.settings.on_extrapolation == OnExtrapolation.STOP
        if stops and self.extrapolation.total > limit:
            raise ExtrapolationStop(
                moment(system.step, self.settings.time_step),
                f"{self.extrapolation.total} extrapolation warnings",
                f"at most {limit}",
                "extrapolation.json says which atoms: add such configurations to the training "
                "data, or let the run continue.",
            )

    def _check_disagreement(self, row: DisagreementRow) -> None:
        limit = self.settings.disagreement_limit
        if limit is None or self.settings.on_disagreement != OnDisagreement.STOP:
            return
        if row.largest_force_spread_mev_per_a > limit:
            raise DisagreementStop(
                moment(row.step, self.settings.time_step),
                f"the committee disagrees by {row.largest_force_spread_mev_per_a:.4g} meV/Å on the "
                f"force on atom {row.atom}",
                f"at most {limit:g} meV/Å",
                "The potential doesn't know such configurations: compute the run's candidates, add "
                "them to the training data and train again; or let the run continue.",
            )

    def analysis_is_due(self) -> bool:
        """Whether enough time has gone by to pay for another analysis."""
        waited = time.monotonic() - self._last_analysis
        return waited > max(2.0, self._analysis_seconds / ANALYSIS_SHARE)

    def analyse(self) -> None:
        """Rewrite g(r), mean squared displacement, coordination and warnings."""
        start = time.monotonic()
        with TrajectoryReader(self.run_dir / TRAJECTORY_FILE) as reader:
            if len(reader):
                analyse_trajectory(
                    reader, self.run_dir, self.settings.rdf_range, self.settings.rdf_bins
                )
                write_candidates(self.run_dir, self.settings, self.levels)
        self.save_warnings()
        self._last_analysis = time.monotonic()
        self._analysis_seconds = self._last_analysis - start

    def save_warnings(self) -> None:
        """Rewrite ``extrapolation.json`` where there is something new."""
        if self._unsaved_warnings:
            write_json_atomic(self.run_dir / EXTRAPOLATION_FILE, self.extrapolation.summary())
            self._unsaved_warnings = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()


def analyse_trajectory(
    reader: TrajectoryReader, run_dir: Path, r_max: float = 8.0, bins: int = 320
) -> None:
    """Write ``rdf.json``, ``sq.json``, ``msd.json`` and ``coordination.json`` of the last stage.

    Each says which steps it is made from. There is no S(q) where a direction isn't periodic. The mean squared displacement needs at
    least two frames; before that its file isn't written.

    Args:
        reader: a trajectory with frames.
        run_dir: takes the files.
        r_max: range of g(r), Å.
        bins: of g(r).
    """
    frames = last_stage(reader)
    indices = frames.indices(len(reader))
    steps = reader.steps[indices]
    span = {
        "stage": int(reader.stages[-1]),
        "from_step": int(steps[0]),
        "to_step": int(steps[-1]),
    }
    radial = trajectory_radial(reader, frames, r_max, bins, WORK_LIMIT)
    write_json_atomic(run_dir / RADIAL_FILE, span | to_jsonable(radial))
    coordination = trajectory_coordination(reader, frames, radial, WORK_LIMIT)
    write_json_atomic(run_dir / COORDINATION_FILE, span | to_jsonable(coordination))
    if all(reader.pbc):
        scattering = trajectory_structure_factor(reader, frames, work_limit=SCATTERING_WORK_LIMIT)
        write_json_atomic(run_dir / SCATTERING_FILE, span | to_jsonable(scattering))
    try:
        motion = trajectory_motion(reader, frames, work_limit=MOTION_WORK_LIMIT)
    except InvalidInput:
        return  # a stage that has only just begun: the next refresh will have more frames
    content = to_jsonable(motion.displacement) | {"diffusion": to_jsonable(motion.diffusion)}
    write_json_atomic(run_dir / MOTION_FILE, span | content)
