"""What a program that runs molecular dynamics has to bring; one file beside this one for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase import Atoms
from django.utils.functional import Promise

from mlmd.launch import Launch, Resources
from mlmd.md import MDSettings
from potentials.families import CatalogFamily, Facts
from potentials.tables import Table


@dataclass(frozen=True)
class RunInput:
    """What a run is prepared from.

    Args:
        settings: ensemble, stages, time step, sampling.
        atoms: the structure, its cell repeated.
        family: of the potential.
        facts: what the potential's files say.
        files: of the potential, name → content.
        resources: that the run asks for.
        committee: archive of the potentials that were trained with it; None for none.
    """

    settings: MDSettings
    atoms: Atoms
    family: CatalogFamily
    facts: Facts
    files: Mapping[str, bytes]
    resources: Resources
    committee: bytes | None = None


@dataclass(frozen=True)
class Engine:
    """A program that runs molecular dynamics.

    Args:
        name: key in the registry and in rows.
        title: for people.
        codes: what a cluster needs recipes for.
        processes: whether cores are MPI processes; else threads of one process.
        refusal: family → why it can't run its potentials; empty where it can.
        cost: family → of an atom and step on one core, s; roughly.
        check: (settings, atoms) → how many bonds are rigid; raises `mlmd.errors.InvalidInput`
            where they don't fit together, before anything is started.
        watches: whether it asks a committee how far its members disagree.
        prepare: (input, empty run directory) → what to launch.
        launch_of: resources → what `prepare` will say to launch.
        deck: input → what the program will read, for people; empty for programs without such.
        checkpoint: files that a further attempt goes on from, the checkpoint itself first.
        table: (run directory, settings) → the thermodynamic log so far.
        progress: (run directory, settings) → fraction, message and seconds left; empty where the
            program writes its own.
    """

    name: str
    title: str | Promise
    codes: tuple[str, ...]
    processes: bool
    refusal: Callable[[CatalogFamily], str]
    cost: Callable[[CatalogFamily], float]
    check: Callable[[MDSettings, Atoms], int]
    watches: bool
    prepare: Callable[[RunInput, Path], Launch]
    launch_of: Callable[[Resources], Launch]
    deck: Callable[[RunInput], str]
    checkpoint: tuple[str, ...]
    table: Callable[[Path, MDSettings], Table]
    progress: Callable[[Path, MDSettings], Mapping[str, Any]]

    def cores(self, count: int, walltime_s: int) -> Resources:
        """Return so many cores as the program uses them."""
        if self.processes:
            return Resources(processes=count, walltime_s=walltime_s)
        return Resources(threads=count, walltime_s=walltime_s)
