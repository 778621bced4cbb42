"""The steps of a training with aenet, and the programs that each of them runs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from mlmd.aenet.input_files import (
    BEST,
    CHOICE_SCRIPT,
    CLEAN_SCRIPT,
    GENERATE,
    POTENTIAL_FOLDER,
    START_SCRIPT,
    TRAIN,
    TRAIN_LOG,
    TRAINING_SET,
    network_name,
    structure_name,
)
from mlmd.external.steps import Step
from mlmd.launch import Command

GENERATE_PROGRAM, TRAIN_PROGRAM, PREDICT_PROGRAM = "generate.x", "train.x", "predict.x"
GENERATED = "Training set generation done"
TRAINED = "Training finished."


class StepName(StrEnum):
    """What can be run, in this order."""

    GENERATE = "generate"
    TRAIN = "train"


def commands_of(name: StepName, mpi: bool) -> tuple[Command, ...]:
    """Return the programs of a step.

    Args:
        name: of the step.
        mpi: whether train.x is started on several processes; generate.x never is.
    """
    if name is StepName.GENERATE:
        return (
            Command(("sh", CLEAN_SCRIPT)),
            Command((GENERATE_PROGRAM, GENERATE), stdout="generate.out"),
        )
    return (
        Command(("sh", START_SCRIPT)),
        Command((TRAIN_PROGRAM, TRAIN), stdout=TRAIN_LOG, mpi=mpi),
        Command(("sh", CHOICE_SCRIPT)),
    )


def step_of(
    name: StepName, elements: Sequence[str], layers: Sequence[int], frames: int, processes: int
) -> Step:
    """Return a step.

    Args:
        name: which one.
        elements: of the potential.
        layers: nodes of the hidden layers.
        frames: how many structures there are.
        processes: of MPI.
    """
    commands = commands_of(name, processes > 1)
    if name is StepName.GENERATE:
        needs = (GENERATE, *(f"{e}.stp" for e in elements), structure_name(frames - 1))
        return Step(name, commands, needs, (TRAINING_SET,), GENERATED)
    networks = tuple(f"{POTENTIAL_FOLDER}/{network_name(e, layers)}" for e in elements)
    starts = tuple(f"{network_name(e, layers)}.start" for e in elements)
    return Step(
        name, commands, (TRAIN, TRAINING_SET, *starts), (TRAIN_LOG, BEST, *networks), TRAINED
    )
