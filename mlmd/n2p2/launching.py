"""A training with n2p2 as a run of the job machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mlmd.external.launching import (
    ExternalSpec,
    functions_per_element,
    resources_of,
)
from mlmd.launch import Command, Launch
from mlmd.n2p2.data import prepare_data
from mlmd.n2p2.input_files import BEST, CURVE, DATA, write_data, write_input
from mlmd.n2p2.results import SPEC_FILE, TEST_DATA, write_spec
from mlmd.n2p2.settings import N2p2Settings
from mlmd.n2p2.steps import ENERGIES, FORCES, StepName, step_commands, steps_for

PROGRAMS = ("nnp-norm", "nnp-scaling", "nnp-train", "nnp-dataset")
"""Codes that a cluster needs recipes for."""

# n2p2's own Cu2S and H2O examples on one core of a current x86 server: s per update, atom and
# function, rounded up.
SECONDS_PER_UPDATE = 4e-6
SECONDS_PER_EVALUATION = 1.5e-6
START_UP = 3.0


N2p2Spec = ExternalSpec[N2p2Settings]
"""What a run directory is prepared from."""


def prepare(spec: N2p2Spec, run_dir: Path | str) -> Launch:
    """Write a run directory: normalising, scaling, training, prediction, one after another.

    Raises:
        InvalidInput: no frame can be used.
    """
    folder = Path(run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    data = prepare_data(spec.settings, list(spec.frames))
    write_input(data, folder)
    write_data(data, folder / DATA)
    write_spec(data, folder, spec.name, spec.data_checksum)
    processes = _processes(spec.processes, len(data.frames))
    steps_for(data, folder, processes)  # writes the scripts between the programs
    launch = launch_of(
        spec.settings, len(data.frames), sum(map(len, data.frames)), len(data.elements), processes
    )
    return replace(
        launch,
        commands=_commands(
            processes, spec.settings.normalise and data.can_normalise, bool(data.constant)
        ),
    )


def launch_of(settings: N2p2Settings, frames: int, atoms: int, elements: int, cores: int) -> Launch:
    """Return what `prepare` will say to launch, where nothing of the data is out of the ordinary.

    Args:
        settings: how to train.
        frames: how many.
        atoms: in all of them.
        elements: how many.
        cores: MPI processes.
    """
    processes = _processes(cores, frames)
    seconds = estimate_seconds(settings, frames, atoms, elements, processes)
    return Launch(
        commands=_commands(processes, settings.normalise, constant=False),
        fetch=(
            "input.nn", "units.json", "scaling.data", "weights.[0-9][0-9][0-9].data", CURVE, BEST,
            TEST_DATA, ENERGIES, FORCES, SPEC_FILE,
        ),
        live=(CURVE,),
        resources=resources_of(processes, seconds),
    )  # fmt: skip


def _processes(cores: int, frames: int) -> int:
    # A process without a structure has nothing to do.
    return max(1, min(cores, frames))


def _commands(processes: int, normalise: bool, constant: bool) -> tuple[Command, ...]:
    steps = step_commands(processes > 1, constant)
    wanted = [name for name in StepName if normalise or name is not StepName.NORMALIZE]
    # What the programs print goes into the run's log, where people look.
    return tuple(replace(command, stdout=None) for name in wanted for command in steps[name])


def estimate_seconds(
    settings: N2p2Settings, frames: int, atoms: int, elements: int, cores: int
) -> float:
    """Return about how long a training takes, s; a rough guess.

    Args:
        settings: how to train.
        frames: how many.
        atoms: in all of them.
        elements: how many.
        cores: MPI processes.
    """
    count = functions_per_element(settings.as_ours, elements)
    size = atoms / max(1, frames)
    learned = frames * (1.0 - settings.validation_fraction)
    updates = learned * (1.0 + settings.force_updates) * size * count * SECONDS_PER_UPDATE
    errors = atoms * count * SECONDS_PER_EVALUATION * size**0.5
    seconds = settings.epochs * (updates + errors) / max(1, cores)
    return START_UP + float(seconds)
