"""What LAMMPS left, turned into the files that every run of ours leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mlmd.errors import InvalidInput
from mlmd.lammps.deck import DUMP_FILE, LOG_FILE
from mlmd.lammps.dump import DumpFrame, read_dump
from mlmd.lammps.frame_of_reference import ReferenceFrame, reference_frame
from mlmd.lammps.launching import start
from mlmd.lammps.log import LammpsLog, read_log
from mlmd.lammps.words import explain
from mlmd.md.extrapolation import ExtrapolationLog
from mlmd.md.launching import STRUCTURE_FILE, read_structure
from mlmd.md.observers import analyse_trajectory
from mlmd.md.results import (
    EXTRAPOLATION_FILE,
    RESULT_FILE,
    SPEC_FILE,
    TRAJECTORY_FILE,
    MDResult,
    RunStatus,
)
from mlmd.md.settings import MDSettings, settings_from_mapping
from mlmd.md.summary import summarise
from mlmd.md.system import System
from mlmd.md.thermo import ThermoLog, ThermoRow
from mlmd.runs import Progress, read_json, write_json_atomic
from mlmd.trajectory import TrajectoryFrame, TrajectoryReader, TrajectoryWriter

_NO_ROW = "no row of the thermodynamic table"
_DID_IT_START = "Did LAMMPS start at all? The run's log says it."


def finish(run_dir: str | Path) -> MDResult:
    """Write log, trajectory, analyses and ``result.json`` from LAMMPS' output.

    It can be repeated: it reads what LAMMPS wrote and writes all of ours anew.

    Args:
        run_dir: what `mlmd.lammps.prepare` wrote and LAMMPS ran in.

    Returns:
        The summary: finished; stopped, where LAMMPS ended in order before the last step; or
        failed, with LAMMPS' own line.

    Raises:
        InvalidInput: no run of LAMMPS, or one that never made a step.
    """
    folder = Path(run_dir)
    settings = read_settings(folder)
    log = read_log(folder, settings)
    if not log.rows:
        found, advice = explain(log.error) if log.error else (_NO_ROW, _DID_IT_START)
        raise InvalidInput(str(folder / LOG_FILE), found, "the log of a run that began", advice)
    atoms = read_structure(folder / STRUCTURE_FILE)
    system = start(settings, atoms)
    with ThermoLog(folder) as thermo:
        for row in _asked_for(log.rows, settings):
            thermo.write(row)
    _write_trajectory(folder, settings, system, log)
    _write_extrapolations(folder, atoms.get_chemical_symbols(), log)
    with TrajectoryReader(folder / TRAJECTORY_FILE) as reader:
        if len(reader):
            analyse_trajectory(reader, folder, settings.rdf_range, settings.rdf_bins)
    return _conclude(folder, settings, log, atoms.get_chemical_formula())


def read_settings(folder: Path) -> MDSettings:
    """Return the settings of a prepared directory.

    Raises:
        InvalidInput: there are none.
    """
    values = read_json(folder / SPEC_FILE).get("settings")
    if not isinstance(values, dict):
        raise InvalidInput(str(folder / SPEC_FILE), "no settings", 'an object "settings"')
    return settings_from_mapping(values, f"{SPEC_FILE}: settings")


def _asked_for(rows: list[ThermoRow], settings: MDSettings) -> list[ThermoRow]:
    """Return the rows that the settings ask for; LAMMPS logs those of stored frames, too."""
    ends = set(np.cumsum([stage.steps for stage in settings.stages]).tolist())
    last = rows[-1].step
    return [
        row
        for row in rows
        if row.step % settings.sample_every == 0 or row.step in ends or row.step == last
    ]


def _write_trajectory(folder: Path, settings: MDSettings, system: System, log: LammpsLog) -> None:
    frame = reference_frame(system.cell, system.pbc, system.positions)
    rows = {row.step: row for row in log.rows}
    writer = _writer(folder, settings, system)
    try:
        last = -1
        for entry in read_dump(folder / DUMP_FILE):
            row = rows.get(entry.step)
            if row is None:
                continue  # LAMMPS was killed between the frame and its row
            if entry.step <= last:
                # A run that went on from its state repeats frames: the later ones count.
                writer.close()
                writer = _writer(folder, settings, system, keep_until=entry.step - 1)
            last = entry.step
            writer.write(_moment(entry, row, frame, system))
    finally:
        writer.close()


def _writer(
    folder: Path, settings: MDSettings, system: System, keep_until: int | None = None
) -> TrajectoryWriter:
    return TrajectoryWriter(
        folder / TRAJECTORY_FILE,
        system.numbers,
        system.positions,
        system.pbc,
        with_velocities=settings.store_velocities,
        append=keep_until is not None,
        last_step=keep_until,
    )


def _moment(
    entry: DumpFrame, row: ThermoRow, frame: ReferenceFrame, system: System
) -> TrajectoryFrame:
    velocities = entry.velocities
    # Directions that aren't periodic have LAMMPS' shrunken box, which says nothing.
    cell = np.where(np.array(system.pbc)[:, None], frame.from_box(entry.box), system.cell)
    return TrajectoryFrame(
        step=entry.step,
        time=row.time_ps * 1000,
        cell=cell,
        positions=frame.from_box(entry.positions),
        energy=row.potential_energy_ev,
        kinetic_energy=row.kinetic_energy_ev,
        stage=row.stage,
        velocities=None if velocities is None else frame.from_box(velocities),
    )


def _write_extrapolations(folder: Path, symbols: list[str], log: LammpsLog) -> None:
    """Write the counts that LAMMPS gives; which atoms, only our own engine knows."""
    seen = [(step, count) for step, count in log.extrapolations if count]
    summary = ExtrapolationLog(symbols).summary() | {
        "total": sum(count for _, count in seen),
        "steps": len(seen),
        "first_step": seen[0][0] if seen else None,
        "not_listed": sum(count for _, count in seen),
    }
    write_json_atomic(folder / EXTRAPOLATION_FILE, summary)


def _conclude(folder: Path, settings: MDSettings, log: LammpsLog, formula: str) -> MDResult:
    status = RunStatus.FINISHED
    if log.error:
        status = RunStatus.FAILED
    elif log.step < settings.total_steps:
        status = RunStatus.STOPPED
    result = summarise(folder, settings, log.step, status, log.error, log.seconds, formula)
    result = replace(result, warnings=(*result.warnings, *log.warnings))
    write_json_atomic(folder / RESULT_FILE, result)
    if status == RunStatus.FINISHED:
        Progress(folder).report(1.0, f"done: {result.steps} steps, {result.time_ps:g} ps")
    return result
