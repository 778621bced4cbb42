"""A validation as a run: prepared here, run anywhere, collected again."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from mlmd.errors import InvalidInput
from mlmd.formats import read_frames, write_frames
from mlmd.frame import Frame
from mlmd.launch import Command, Launch, Resources
from mlmd.loading import read_potential
from mlmd.runs import PROGRESS_FILE, Progress, StopRequest, read_json, write_json_atomic
from mlmd.validation.report import Check, ValidationReport
from mlmd.validation.report_json import report_from_json, report_to_json
from mlmd.validation.running import run_checks
from mlmd.validation.settings import (
    ValidationSettings,
    check_settings,
    settings_from_mapping,
)
from mlmd.validation.subject import subject_of

SPEC_FILE = "spec.json"
FRAMES_FILE = "frames.jsonl"
POTENTIAL_FOLDER = "potential"
PARTIAL_FILE, REPORT_FILE = "checks.json", "report.json"
RUN_STATE_FILES = (PARTIAL_FILE,)
"""What a directory needs for a run to go on in it."""


@dataclass(frozen=True)
class ValidationSpec:
    """A validation to prepare.

    Args:
        potential: folder of the potential, of any family.
        frames: a sample of the data it was made from, consumed once; may be empty.
        settings: what to check, and how.
        resources: what the run asks of the machine.
    """

    potential: Path | str
    frames: Iterable[Frame] = ()
    settings: ValidationSettings = field(default_factory=ValidationSettings)
    resources: Resources = field(default_factory=Resources)


def prepare(spec: ValidationSpec, run_dir: Path | str) -> Launch:
    """Write a run directory.

    Args:
        spec: what to validate.
        run_dir: made where it doesn't exist.

    Returns:
        The command to run there, and what to bring back.

    Raises:
        InvalidInput: the settings are wrong, or the folder holds no sound potential.
    """
    check_settings(spec.settings)
    read_potential(spec.potential)
    folder = Path(run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(spec.potential, folder / POTENTIAL_FOLDER, dirs_exist_ok=True)
    write_frames(spec.frames, folder / FRAMES_FILE, "jsonl")
    write_json_atomic(
        folder / SPEC_FILE,
        {
            "kind": "validate",
            "version": 1,
            "settings": spec.settings,
            "cores": spec.resources.threads,
        },
    )
    return launch_of(spec.resources)


def launch_of(resources: Resources) -> Launch:
    """Return what to run in a prepared directory, and what to bring back."""
    return Launch(
        commands=(Command(("mlmd", "validate", "--run-dir", ".")),),
        fetch=(PROGRESS_FILE, PARTIAL_FILE, REPORT_FILE),
        live=(PROGRESS_FILE, PARTIAL_FILE),
        resources=resources,
    )


def run_directory(
    run_dir: Path | str, stop: StopRequest | None = None, stream: TextIO | None = None
) -> ValidationReport:
    """Do what `prepare` wrote; a directory with finished checks goes on from there.

    Args:
        run_dir: with ``spec.json``, ``frames.jsonl`` and ``potential/``.
        stop: looked at between steps; None takes the process's signals.
        stream: takes progress lines; None for standard output.

    Raises:
        InvalidInput: something is missing or damaged.
        Stopped: it was asked to stop; a new call goes on.
    """
    if stop is not None:
        return _run(Path(run_dir), stop, stream)
    with StopRequest() as own_stop:
        return _run(Path(run_dir), own_stop, stream)


def collect(run_dir: Path | str) -> ValidationReport:
    """Read the report that a validation left.

    Raises:
        InvalidInput: the validation didn't finish, or the report is damaged.
    """
    path = Path(run_dir) / REPORT_FILE
    return report_from_json(read_json(path), str(path))


def partial_report(run_dir: Path | str) -> ValidationReport | None:
    """Return the checks that a run has finished so far; None where there are none.

    Raises:
        InvalidInput: the file is damaged.
    """
    path = Path(run_dir) / PARTIAL_FILE
    return report_from_json(read_json(path), str(path)) if path.is_file() else None


def _run(folder: Path, stop: StopRequest, stream: TextIO | None) -> ValidationReport:
    spec = read_json(folder / SPEC_FILE)
    values, cores = spec.get("settings"), spec.get("cores", 1)
    if not isinstance(values, dict) or type(cores) is not int:
        raise InvalidInput(str(folder / SPEC_FILE), "no settings or cores", "both")
    settings = settings_from_mapping(values, f"{SPEC_FILE}: settings")
    frames = list(read_frames(folder / FRAMES_FILE)) if _has_frames(folder) else []
    subject = subject_of(folder / POTENTIAL_FOLDER, settings, frames, cores, stop)
    progress = Progress(folder, stream)

    def keep(report: ValidationReport) -> None:
        write_json_atomic(folder / PARTIAL_FILE, report_to_json(report))

    report = run_checks(subject, _finished(folder), keep, progress)
    write_json_atomic(folder / REPORT_FILE, report_to_json(report))
    progress.report(1.0, f"done: {len(report.checks)} checks")
    return report


def _has_frames(folder: Path) -> bool:
    path = folder / FRAMES_FILE
    return path.is_file() and path.stat().st_size > 0


def _finished(folder: Path) -> tuple[Check, ...]:
    report = partial_report(folder)
    return () if report is None else report.checks
