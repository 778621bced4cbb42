"""LAMMPS, with any pair style that a potential names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from mlmd.errors import InvalidInput
from mlmd.lammps import LammpsSpec, PairStyle, prepare
from mlmd.lammps.deck import INPUT_FILE, LOG_FILE
from mlmd.lammps.launching import LAMMPS as PROGRAM
from mlmd.lammps.launching import RUN_STATE_FILES, launch_of, start
from mlmd.lammps.log import read_log, read_log_end
from mlmd.launch import Launch
from mlmd.md import MDSettings
from mlmd.md.thermo import THERMO_FILE, ThermoRow
from potentials.engines.base import Engine, RunInput
from potentials.families import CatalogFamily
from potentials.families.reading import written
from potentials.tables import Table, read_table

MOST_ROWS = 4000  # of a table for a figure
_COLUMNS = tuple(field.name for field in fields(ThermoRow))


def _refusal(family: CatalogFamily) -> str:
    return "" if family.pair_style else _("LAMMPS knows no potentials of this kind.")


def _style(run: RunInput) -> PairStyle:
    if run.family.pair_style is None:
        raise InvalidInput("potential", str(run.family.title), "a kind that LAMMPS knows")
    return run.family.pair_style(run.facts, run.files)


def _spec(run: RunInput) -> LammpsSpec:
    return LammpsSpec(run.settings, run.atoms, _style(run), run.files, run.resources)


def _prepare(run: RunInput, folder: Path) -> Launch:
    return prepare(_spec(run), folder)


def _deck(run: RunInput) -> str:
    with written({}) as scratch:
        prepare(_spec(run), scratch)
        return (Path(scratch) / INPUT_FILE).read_text(encoding="utf-8")


def _table(folder: Path, settings: MDSettings) -> Table:
    """Return LAMMPS' own log: while it grows nothing else is there."""
    path = folder / LOG_FILE
    if not path.is_file():
        return read_table(folder / THERMO_FILE)
    stat = path.stat()
    return _parsed(folder, settings, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _parsed(folder: Path, settings: MDSettings, _changed: int, _size: int) -> Table:
    """Return the log as a table; kept, because several figures of a page ask for it at once."""
    rows = _thinned(read_log(folder, settings).rows)
    values = [asdict(row) for row in rows]
    return Table({name: [repr(row[name]) for row in values] for name in _COLUMNS})


def _thinned(rows: Sequence[ThermoRow]) -> Sequence[ThermoRow]:
    stride = -(-len(rows) // MOST_ROWS)
    return [*rows[:-1:stride], rows[-1]] if stride > 1 else rows


def _progress(folder: Path, settings: MDSettings) -> dict[str, Any]:
    log = read_log_end(folder, settings)
    if not log.rows:
        return {}
    total, row = settings.total_steps, log.rows[-1]
    speed = log.steps_per_second
    words = _("step %(step)s of %(total)s, %(kelvin).0f K") % {
        "step": row.step,
        "total": total,
        "kelvin": row.temperature_k,
    }
    return {
        "fraction": min(1.0, row.step / total),
        "message": words,
        "eta_s": (total - row.step) / speed if speed else None,
    }


LAMMPS = Engine(
    name="lammps",
    title="LAMMPS",
    codes=(PROGRAM, "mlmd"),
    processes=True,
    refusal=_refusal,
    cost=lambda family: family.lammps_cost,
    check=lambda settings, atoms: start(settings, atoms).bond_count,
    watches=False,
    prepare=_prepare,
    launch_of=launch_of,
    deck=_deck,
    checkpoint=RUN_STATE_FILES,
    table=_table,
    progress=_progress,
)
