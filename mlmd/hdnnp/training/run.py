"""A training as a run: from frames in a directory to a potential in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlmd.errors import InvalidInput
from mlmd.formats import read_frames, write_frames
from mlmd.frame import Frame
from mlmd.hdnnp.pruning import Selection
from mlmd.hdnnp.training.choice import FUNCTIONS_FILE, keep_choice, kept_choice
from mlmd.hdnnp.training.committee import (
    COMMITTEE_FILE,
    potential_folder,
    write_committee,
)
from mlmd.hdnnp.training.estimate import estimate_memory_mb, estimate_seconds
from mlmd.hdnnp.training.loop import SETUP_SHARE, TrainingLoop
from mlmd.hdnnp.training.results import (
    PARITY_FILE,
    POTENTIAL_FOLDER,
    RESULT_FILE,
    TrainingResult,
    collect,
    write_results,
)
from mlmd.hdnnp.training.settings import TrainingSettings
from mlmd.hdnnp.training.setup import Setup, set_up
from mlmd.hdnnp.training.state import CHECKPOINT_FILE, CURVE_FILE
from mlmd.launch import Command, Launch, Resources
from mlmd.runs import PROGRESS_FILE, Progress, StopRequest, read_json, write_json_atomic
from mlmd.settings import from_mapping

SPEC_FILE = "spec.json"
FRAMES_FILE = "frames.jsonl"
# A run that takes longer than estimated must not be cut off: walltime is this much more.
WALLTIME_MARGIN = 4.0
LEAST_WALLTIME_S = 600


@dataclass(frozen=True)
class TrainingSpec:
    """What a run directory is prepared from.

    Args:
        settings: how to train.
        frames: on what; consumed once, as a stream.
        name: for people.
        data_checksum: of the selection, as the data's owner states it.
        threads: cores to ask for.
    """

    settings: TrainingSettings
    frames: Iterable[Frame]
    name: str = ""
    data_checksum: str = ""
    threads: int = 2


def prepare(spec: TrainingSpec, run_dir: Path | str) -> Launch:
    """Write a run directory.

    Args:
        spec: what to train.
        run_dir: made where it doesn't exist.

    Returns:
        The command to run there, and what to bring back.

    Raises:
        InvalidInput: there is no frame.
    """
    folder = Path(run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    atoms, largest, elements = 0, 0, set()

    def counted() -> Iterable[Frame]:
        nonlocal atoms, largest
        for frame in spec.frames:
            atoms += len(frame)
            largest = max(largest, len(frame))
            elements.update(frame.numbers.tolist())
            yield frame

    count = write_frames(counted(), folder / FRAMES_FILE, "jsonl")
    if count == 0:
        raise InvalidInput("training data", "no frames", "at least one frame with an energy")
    write_json_atomic(
        folder / SPEC_FILE,
        {"name": spec.name, "data_checksum": spec.data_checksum, "settings": spec.settings},
    )
    return launch_of(spec.settings, count, atoms, len(elements), spec.threads)


def launch_of(
    settings: TrainingSettings, frames: int, atoms: int, elements: int, threads: int
) -> Launch:
    """Return what to run in a prepared directory, and what to bring back.

    Args:
        settings: how to train.
        frames: how many.
        atoms: in all frames together.
        elements: how many.
        threads: processor cores to use.
    """
    seconds = estimate_seconds(settings, frames, atoms, elements, threads)
    return Launch(
        commands=(Command(("mlmd", "train", "--run-dir", ".")),),
        fetch=(
            *(f"{folder}/*" for folder in _potential_folders(settings)),
            *((COMMITTEE_FILE,) if settings.committee > 1 else ()),
            CURVE_FILE,
            PARITY_FILE,
            RESULT_FILE,
            PROGRESS_FILE,
        ),
        live=(CURVE_FILE, PROGRESS_FILE),
        resources=Resources(
            threads=threads,
            walltime_s=int(max(LEAST_WALLTIME_S, WALLTIME_MARGIN * seconds)),
            memory_mb=estimate_memory_mb(settings, frames, atoms, elements),
        ),
    )


def _potential_folders(settings: TrainingSettings) -> list[str]:
    members = range(settings.committee) if settings.committee > 1 else ()
    return [POTENTIAL_FOLDER, *map(potential_folder, members)]


def settings_from(values: dict[str, Any], where: str = "training settings") -> TrainingSettings:
    """Make settings from a JSON object.

    Raises:
        InvalidInput: an unknown name or a wrong value.
    """
    return from_mapping(TrainingSettings, values, where)


def run_directory(run_dir: Path | str) -> TrainingResult:
    """Train as the run directory says; what ``mlmd train --run-dir`` does.

    Raises:
        InvalidInput: the directory or its data are wrong.
        Stopped: it was asked to stop; a new call goes on from the checkpoint.
    """
    folder = Path(run_dir)
    spec = read_json(folder / SPEC_FILE)
    values = spec.get("settings")
    if not isinstance(values, dict):
        raise InvalidInput(f"{SPEC_FILE}: settings", repr(values), "an object")
    return train(settings_from(values, SPEC_FILE), read_frames(folder / FRAMES_FILE), folder)


def train(
    settings: TrainingSettings,
    frames: Iterable[Frame],
    run_dir: Path | str,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train a potential; goes on from ``checkpoint.npz`` where there is one.

    Args:
        settings: how.
        frames: on what.
        run_dir: takes learning curve, progress, checkpoint, potential and result.
        progress: takes reports instead of ``progress.json`` and standard output.

    Returns:
        The result, as `collect` reads it.

    Raises:
        InvalidInput: no frame can be used, or the checkpoint is of another training.
        Stopped: it was asked to stop, after writing a checkpoint.
    """
    folder = Path(run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    told = progress or Progress(folder)
    with StopRequest() as stop:
        given = list(frames)

        def report(fraction: float, message: str) -> None:
            told.report(SETUP_SHARE * fraction, message, stage="preparing", epochs=settings.epochs)
            if stop.requested:
                raise stop.stop("The first epoch hadn't begun.")

        setup = set_up(_as_begun(settings, folder), given, report, kept_choice(folder))
        keep_choice(setup.pruning, setup.fingerprint, folder)
        _print_setup(setup)
        states = TrainingLoop(setup, folder, told, stop).run()
        state = states[0]
        if len(states) > 1:
            write_committee(setup, [each.best_weights for each in states], folder)
        write_results(setup, state, len(given), folder)
    told.report(
        1.0, f"finished: best epoch {state.best_epoch} of {state.epoch}", stage="finished",
        epoch=state.epoch, epochs=settings.epochs, best_epoch=state.best_epoch,
    )  # fmt: skip
    return collect(folder)


def _as_begun(settings: TrainingSettings, folder: Path) -> TrainingSettings:
    """Return the settings with which a run goes on.

    One that began before functions were thinned out goes on with all of them.
    """
    if (folder / CHECKPOINT_FILE).is_file() and not (folder / FUNCTIONS_FILE).is_file():
        return replace(settings, descriptor_selection=Selection.NONE)
    return settings


def _print_setup(setup: Setup) -> None:
    for line in setup.pruning.lines if setup.pruning else ():
        print(line, flush=True)
    for notice in setup.notices:
        print(f"note: {notice.text}", flush=True)
    for exclusion in setup.survey.exclusions:
        print(f"left out: frame {exclusion.index} ({exclusion.kind}): {exclusion.reason}")
