"""Our own engine."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mlmd.launch import Launch
from mlmd.md import MDSpec, prepare
from mlmd.md.launching import RUN_STATE_FILES, launch_of
from mlmd.md.starting import check_start
from mlmd.md.thermo import THERMO_FILE
from potentials.committees import committee_folder
from potentials.engines.base import Engine, RunInput
from potentials.families import CatalogFamily
from potentials.families.reading import written
from potentials.tables import read_table

# One atom and step on one core with the default descriptors, s; runs of the same potential
# that are already done say it better.
SECONDS_PER_ATOM_STEP = 60e-6


def _refusal(family: CatalogFamily) -> str:
    if family.evaluated:
        return ""
    return _("Our own engine doesn't know potentials of this kind: run it with LAMMPS.")


def _prepare(run: RunInput, folder: Path) -> Launch:
    with ExitStack() as stack:
        potential = stack.enter_context(written(run.files))
        committee = None
        if run.committee is not None and run.settings.watch_committee:
            committee = stack.enter_context(committee_folder(run.committee))
        spec = MDSpec(run.settings, run.atoms, potential, run.resources, committee)
        return prepare(spec, folder)


OWN = Engine(
    name="mlmd",
    title=gettext_lazy("our own engine"),
    codes=("mlmd",),
    processes=False,
    refusal=_refusal,
    cost=lambda family: SECONDS_PER_ATOM_STEP,
    check=check_start,
    watches=True,
    prepare=_prepare,
    launch_of=launch_of,
    deck=lambda run: "",
    checkpoint=RUN_STATE_FILES,
    table=lambda folder, settings: read_table(folder / THERMO_FILE),
    progress=lambda folder, settings: {},
)
