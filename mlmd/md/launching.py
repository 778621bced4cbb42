"""A run in a directory: prepared here, run anywhere, collected again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import ase.io
from ase import Atoms

from mlmd.errors import InvalidInput
from mlmd.hdnnp.committee import MEMBER_FOLDERS, CommitteeEvaluator, load_members
from mlmd.hdnnp.training import COMMITTEE_FILE
from mlmd.launch import Command, Launch, Resources
from mlmd.loading import read_potential
from mlmd.md.candidates import CANDIDATES_FILE, OUTSIDE_FILE, SUMMARY_FILE, levels_of
from mlmd.md.committee import DISAGREEMENT_FILE
from mlmd.md.forces import PotentialForces
from mlmd.md.restart import RESTART_FILE
from mlmd.md.results import (
    COORDINATION_FILE,
    EXTRAPOLATION_FILE,
    MOTION_FILE,
    RADIAL_FILE,
    RESULT_FILE,
    SCATTERING_FILE,
    SPEC_FILE,
    TRAJECTORY_FILE,
    MDResult,
)
from mlmd.md.settings import MDSettings, MDSpec, check_settings, settings_from_mapping
from mlmd.md.simulation import run
from mlmd.md.starting import start_system
from mlmd.md.thermo import THERMO_FILE
from mlmd.runs import PROGRESS_FILE, StopRequest, read_json, write_json_atomic

STRUCTURE_FILE = "structure.extxyz"
POTENTIAL_FOLDER = "potential"
COMMITTEE_FOLDER = "committee"
_LIVE = (
    PROGRESS_FILE,
    THERMO_FILE,
    RADIAL_FILE,
    SCATTERING_FILE,
    MOTION_FILE,
    COORDINATION_FILE,
    EXTRAPOLATION_FILE,
    OUTSIDE_FILE,
    SUMMARY_FILE,
)
RUN_STATE_FILES = (RESTART_FILE, TRAJECTORY_FILE, *_LIVE, DISAGREEMENT_FILE, CANDIDATES_FILE)
"""What a directory needs for a run to go on in it; without the first the others are of no use."""


def prepare(spec: MDSpec, run_dir: str | Path) -> Launch:
    """Write everything that a run needs into an empty directory.

    Args:
        spec: settings, structure, potential and resources.
        run_dir: made if it doesn't exist.

    Returns:
        What to run there and what to bring back.

    Raises:
        InvalidInput: settings, structure or potential can't be used, or don't fit together.
    """
    settings = spec.settings
    if settings.threads is None:
        settings = replace(settings, threads=spec.resources.threads)
    check_settings(settings)
    potential = read_potential(spec.potential)
    start_system(settings, spec.atoms, PotentialForces(potential))
    _check_elements(spec.atoms, potential.elements, "potential")
    if spec.committee is not None:
        members = load_members(spec.committee)
        CommitteeEvaluator(members).close()  # refuses members that don't fit together
        levels_of(settings, Path(spec.committee))  # refuses a damaged committee.json
        _check_elements(spec.atoms, members[0].elements, "committee")
    folder = Path(run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(spec.potential, folder / POTENTIAL_FOLDER, dirs_exist_ok=True)
    write_structure(spec.atoms, folder / STRUCTURE_FILE)
    write_json_atomic(folder / SPEC_FILE, {"kind": "md", "version": 1, "settings": settings})
    if spec.committee is not None:
        for member in Path(spec.committee).glob(MEMBER_FOLDERS):
            shutil.copytree(member, folder / COMMITTEE_FOLDER / member.name, dirs_exist_ok=True)
        spreads = Path(spec.committee) / COMMITTEE_FILE
        if spreads.is_file():  # a committee put together by hand has none
            shutil.copy(spreads, folder / COMMITTEE_FOLDER)
    return launch_of(spec.resources, has_committee=spec.committee is not None)


def _check_elements(atoms: Atoms, known: tuple[str, ...], name: str) -> None:
    missing = sorted(set(atoms.get_chemical_symbols()) - set(known))
    if missing:
        raise InvalidInput(
            "structure",
            f"elements that the {name} doesn't know: {', '.join(missing)}",
            f"only {', '.join(known)}",
            f"Choose another {name}, or train one with such structures.",
        )


def launch_of(resources: Resources, *, has_committee: bool = False) -> Launch:
    """Return what to run in a prepared directory, and what to bring back."""
    live = (*_LIVE, DISAGREEMENT_FILE) if has_committee else _LIVE
    return Launch(
        commands=(Command(("mlmd", "md", "--run-dir", ".")),),
        fetch=(
            *live,
            CANDIDATES_FILE,
            TRAJECTORY_FILE,
            RESULT_FILE,
            RESTART_FILE,
            SPEC_FILE,
            STRUCTURE_FILE,
        ),
        live=live,  # not the trajectory: too big to be copied again and again
        resources=resources,
    )


def run_directory(
    run_dir: str | Path, stop: StopRequest | None = None, stream: TextIO | None = None
) -> MDResult:
    """Run what `prepare` wrote; a directory with a saved state goes on from there.

    Args:
        run_dir: with ``spec.json``, ``structure.extxyz`` and ``potential/``; with ``committee/``
            the disagreement of its members is written down, too.
        stop: looked at after every step; None takes the process's signals.
        stream: takes progress lines; None for standard output.

    Raises:
        InvalidInput: something is missing or damaged; and whatever `run` raises.
    """
    folder = Path(run_dir)
    content = read_json(folder / SPEC_FILE)
    values = content.get("settings")
    if not isinstance(values, dict):
        raise InvalidInput(str(folder / SPEC_FILE), "no settings", 'an object "settings"')
    settings: MDSettings = settings_from_mapping(values, f"{SPEC_FILE}: settings")
    atoms = read_structure(folder / STRUCTURE_FILE)
    potential = read_potential(folder / POTENTIAL_FOLDER)
    members = folder / COMMITTEE_FOLDER
    committee = load_members(members) if members.is_dir() and settings.watch_committee else ()
    levels = levels_of(settings, members)
    return run(
        settings,
        atoms,
        potential,
        folder,
        stop=stop,
        stream=stream,
        committee=committee,
        levels=levels,
    )


def write_structure(atoms: Atoms, path: Path) -> None:
    """Write a structure with velocities and fixed atoms, and without any results."""
    bare = atoms.copy()
    bare.calc = None
    ase.io.write(path, bare, format="extxyz")


def read_structure(path: Path) -> Atoms:
    """Read what `write_structure` wrote.

    Raises:
        InvalidInput: the file is missing or damaged.
    """
    try:
        found = ase.io.read(path, format="extxyz")
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise InvalidInput(
            str(path), f"not readable ({error})", "a structure in extxyz format"
        ) from error
    if not isinstance(found, Atoms):
        raise InvalidInput(str(path), "several structures", "one")
    return found
