"""LAMMPS' log, read while it grows or after the end.

Manual: https://docs.lammps.org/Run_output.html; the lines about extrapolations:
https://docs.lammps.org/pair_hdnnp.html.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mlmd.lammps.deck import LOG_FILE, STAGE_MARK, THERMO
from mlmd.md.settings import MDSettings
from mlmd.md.thermo import ThermoRow
from mlmd.units import BAR, EV_PER_A3_IN_GPA

# How the log heads the columns that the deck asks for.
_HEADS = (
    "Step",
    "Temp",
    "PotEng",
    "KinEng",
    "TotEng",
    "Econserve",
    "Press",
    "Density",
    "Volume",
    "S/CPU",
)
_COLUMN = dict(zip(_HEADS, THERMO, strict=True))
_LOOP = re.compile(r"Loop time of (\S+) on \d+ procs? for (\d+) steps")
_EXTRAPOLATIONS = re.compile(r"### NNP EW SUMMARY ### TS:\s*(\d+) EW\s*(\d+)")
_RECENT = 10  # rows that the present speed is taken from
_BAR_IN_GPA = BAR * EV_PER_A3_IN_GPA


@dataclass
class LammpsLog:
    """What a log says.

    Args:
        rows: of the thermodynamic table, ascending in step; a run that went on from an
            earlier state replaces the rows that it repeats.
        seconds: of all loops.
        extrapolations: step and count since the summary before.
        error: the line by which LAMMPS gave up; empty otherwise.
        warnings: LAMMPS' own, each once.
        speeds: steps per second between the last few rows.
    """

    rows: list[ThermoRow] = field(default_factory=list)
    seconds: float = 0.0
    extrapolations: list[tuple[int, int]] = field(default_factory=list)
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    speeds: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    @property
    def step(self) -> int:
        """The last step in the table; 0 where there is none."""
        return self.rows[-1].step if self.rows else 0

    @property
    def steps_per_second(self) -> float:
        """Lately; 0 where nothing is known."""
        return sum(self.speeds) / len(self.speeds) if self.speeds else 0.0


def read_log(run_dir: str | Path, settings: MDSettings) -> LammpsLog:
    """Read the log of a run directory; one that doesn't exist yet is empty.

    Args:
        run_dir: with `mlmd.lammps.deck.LOG_FILE`.
        settings: of the run.
    """
    path = Path(run_dir) / LOG_FILE
    if not path.is_file():
        return LammpsLog()
    with path.open(encoding="utf-8", errors="replace") as stream:
        return parse_log(stream, settings)


def read_log_end(run_dir: str | Path, settings: MDSettings, size: int = 65536) -> LammpsLog:
    """Read the last rows of a log, however long it is; of which stage they are isn't known.

    Args:
        run_dir: with `mlmd.lammps.deck.LOG_FILE`.
        settings: of the run.
        size: how many bytes of its end.
    """
    path = Path(run_dir) / LOG_FILE
    if not path.is_file():
        return LammpsLog()
    with path.open("rb") as stream:
        start = max(0, path.stat().st_size - size)
        stream.seek(start)
        if start:
            stream.readline()  # the rest of a line
        text = stream.read().decode("utf-8", "replace")
    return parse_log(text.splitlines(keepends=True), settings, THERMO if start else ())


def parse_log(
    lines: Iterable[str], settings: MDSettings, columns: tuple[str, ...] = ()
) -> LammpsLog:
    """Return what the lines of a log say; a last line without its end is left out.

    Args:
        lines: of the log.
        settings: of the run.
        columns: of the table that the lines begin in the middle of; empty for a whole log.
    """
    log, stage = LammpsLog(), 0
    for line in lines:
        if not line.endswith("\n"):
            break
        words = line.split()
        if not words:
            continue
        if words[0] == "Step" and set(words) <= set(_COLUMN):
            columns = tuple(_COLUMN[word] for word in words)
        elif line.startswith(STAGE_MARK):
            stage = int(words[-1])
        elif line.startswith("ERROR"):
            log.error = line.strip()
        elif line.startswith("WARNING"):
            if line.strip() not in log.warnings:
                log.warnings.append(line.strip())
        elif loop := _LOOP.match(line):
            log.seconds += float(loop[1])
            columns = ()
        elif found := _EXTRAPOLATIONS.search(line):
            log.extrapolations.append((int(found[1]), int(found[2])))
        elif columns and len(words) == len(columns):
            _add(log, columns, words, stage, settings)
    return log


def _add(
    log: LammpsLog, columns: tuple[str, ...], words: list[str], stage: int, settings: MDSettings
) -> None:
    try:
        values = dict(zip(columns, (float(word) for word in words), strict=True))
    except ValueError:
        return  # words of a program between the rows, as many as there are columns
    step = int(values["step"])
    while log.rows and log.rows[-1].step > step:
        log.rows.pop()
    # A loop begins with the row that the one before ended with; it belongs to that one.
    if log.rows and log.rows[-1].step == step:
        return
    # A going-on run repeats what was lost since its state, warnings included.
    log.extrapolations = [entry for entry in log.extrapolations if entry[0] <= step]
    log.rows.append(_row(values, step, stage, settings))
    if values.get("spcpu", 0.0) > 0:  # a loop's first row has none
        log.speeds.append(values["spcpu"])


def _row(values: dict[str, float], step: int, stage: int, settings: MDSettings) -> ThermoRow:
    return ThermoRow(
        step=step,
        time_ps=step * settings.time_step / 1000,
        temperature_k=values["temp"],
        potential_energy_ev=values["pe"],
        kinetic_energy_ev=values["ke"],
        total_energy_ev=values["etotal"],
        conserved_ev=values["econserve"],
        pressure_gpa=values["press"] * _BAR_IN_GPA,
        density_g_cm3=values["density"],
        volume_a3=values["vol"],
        stage=stage,
    )
