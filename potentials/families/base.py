"""What a family of potentials has to bring; one file beside this one for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.utils.functional import Promise
from numpy.typing import NDArray

from mlmd.frame import Frame
from mlmd.hdnnp.repulsion import Repulsion
from mlmd.lammps.pair_styles import PairStyle
from mlmd.launch import Launch


@dataclass(frozen=True)
class Facts:
    """What a potential's own files say.

    Args:
        elements: symbols, sorted by atomic number.
        cutoff_radius: the largest, Å.
        length_unit: of its files, ``"angstrom"`` or ``"bohr"``.
        energy_unit: of its files, ``"ev"`` or ``"hartree"``.
        parameters: how many numbers were fitted.
    """

    elements: tuple[str, ...]
    cutoff_radius: float
    length_unit: str
    energy_unit: str
    parameters: int


@dataclass(frozen=True)
class Card:
    """What the files that go with a downloaded potential say about it.

    Args:
        name: as in the catalog.
        version: counted from 1.
        address: of its page.
        facts: what its files say.
        licence: SPDX identifier.
        data: which data it was fitted to, in words.
        data_checksum: SHA-256 of that data.
        energy_rmse: on held-out frames, meV/atom, or None.
        force_rmse: on held-out frames, meV/Å, or None.
        not_for: what it must not be used for; may be empty.
        citation: what to cite for it; may be empty.
        source: address that it comes from, where it was made elsewhere; may be empty.
        lines: for LAMMPS, where the potential came with its own; may be empty.
        repulsion: of nuclei, where its files have one.
    """

    name: str
    version: int
    address: str
    facts: Facts
    licence: str
    data: str
    data_checksum: str
    energy_rmse: float | None
    force_rmse: float | None
    not_for: str
    citation: str = ""
    source: str = ""
    lines: str = ""
    repulsion: Repulsion | None = None


@dataclass(frozen=True)
class TrainingInput:
    """What a training is prepared from.

    Args:
        name: for people.
        settings: of the family.
        frames: to fit; read once, as a stream.
        data_checksum: of the selection they come from.
        threads: processor cores to use.
    """

    name: str
    settings: Any
    frames: Iterable[Frame]
    data_checksum: str
    threads: int


@dataclass(frozen=True)
class Outcome:
    """What a finished training leaves, in the same words for every family.

    Args:
        files: the potential's own files, name → content.
        facts: what they say.
        energy_rmse: on held-out frames, meV/atom, or None where none were held out.
        force_rmse: on held-out frames, meV/Å, or None.
        validation: errors per element and kind, for the card; JSON.
        warnings: for the person who trained, one sentence each.
        committee: archive of the potentials that were trained together with it, or None.
    """

    files: Mapping[str, bytes]
    facts: Facts
    energy_rmse: float | None
    force_rmse: float | None
    validation: Mapping[str, Any]
    warnings: tuple[str, ...]
    committee: bytes | None = None


@dataclass(frozen=True)
class Curve:
    """Errors after every epoch; NaN where there is none.

    Args:
        epoch: shape (E,).
        energy: RMSE of (fitted, held-out) frames, meV/atom, each of shape (E,).
        force: RMSE of (fitted, held-out) frames, meV/Å, each of shape (E,).
    """

    epoch: NDArray[np.float64]
    energy: tuple[NDArray[np.float64], NDArray[np.float64]]
    force: tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class CatalogFamily:
    """A family of potentials as the catalog knows it: shown, handed out, used.

    Args:
        name: key in the registry and in rows.
        title: for people.
        short_title: the same, for a column of a table.
        companions: files that go into the download beside the potential's own.
        lammps_lines: the lines of a LAMMPS input, units metal; empty where LAMMPS can't.
        pair_style: (facts, files) → how a deck names the potential; None where LAMMPS can't.
        lammps_package: that LAMMPS needs to be built with; empty for what every LAMMPS has.
        lammps_cost: of an atom and step in LAMMPS on one core, s; roughly.
        evaluated: whether our own engine knows it.
    """

    name: str
    title: str | Promise
    short_title: str
    companions: Callable[[Card], Mapping[str, bytes]]
    lammps_lines: Callable[[Card], str]
    pair_style: Callable[[Facts, Mapping[str, bytes]], PairStyle] | None = None
    lammps_package: str = ""
    lammps_cost: float = 300e-6
    evaluated: bool = True


@dataclass(frozen=True, kw_only=True)
class Family(CatalogFamily):
    """A family of potentials and a program that trains it: set up, run, read, handed out.

    Args:
        settings: frozen dataclass whose fields describe themselves (`mlmd.settings`).
        presets: effort ("quick", …) → the settings that it decides, as JSON.
        long_texts: settings that are several lines of text.
        automatic_lines: (settings, elements) → the input lines of the automatic descriptors.
        read_settings: JSON object → settings; raises `mlmd.errors.InvalidInput`.
        estimate_seconds: (settings, frames, atoms, elements, cores) → s.
        prepare: (input, empty run directory) → what to launch.
        collect: run directory → outcome.
        read_curve: run directory → errors after every epoch so far.
        engine: the program that trains, for people who choose one.
        codes: what a cluster needs recipes for.
        makes: family that its potentials belong to in the catalog; empty for its own.
        processes: whether cores are MPI processes; else threads of one process.
        launch: (settings, frames, atoms, elements, cores) → what `prepare` will say to launch;
            None where only preparing tells.
    """

    settings: type
    presets: Mapping[str, Mapping[str, Any]]
    long_texts: tuple[str, ...]
    automatic_lines: Callable[[Any, tuple[str, ...]], str]
    read_settings: Callable[[Mapping[str, Any]], Any]
    estimate_seconds: Callable[[Any, int, int, int, int], float]
    prepare: Callable[[TrainingInput, Path], Launch]
    collect: Callable[[Path], Outcome]
    read_curve: Callable[[Path], Curve]
    engine: str | Promise
    codes: tuple[str, ...] = ("mlmd",)
    makes: str = ""
    processes: bool = False
    launch: Callable[[Any, int, int, int, int], Launch] | None = None

    @property
    def catalog_name(self) -> str:
        """Key of the family that its potentials belong to."""
        return self.makes or self.name
