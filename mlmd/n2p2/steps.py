"""The steps of a training with n2p2, and the programs that each of them runs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from mlmd.external.steps import Step
from mlmd.hdnnp.files import INPUT, SCALING, weights_name
from mlmd.launch import Command
from mlmd.n2p2.data import TrainingData
from mlmd.n2p2.input_files import BEST, CURVE, DATA, choice_script, constants_script
from mlmd.runs import write_bytes_atomic

HISTOGRAM_BINS = "100"
ENERGIES, FORCES = "energy.comp", "forces.comp"
CONSTANTS_SCRIPT, CHOICE_SCRIPT = "constants.sh", "best-epoch.sh"


class StepName(StrEnum):
    """What can be run, in this order."""

    NORMALIZE = "normalize"
    SCALING = "scaling"
    TRAIN = "train"
    PREDICT = "predict"


def steps_for(data: TrainingData, folder: Path, processes: int) -> dict[StepName, Step]:
    """Return the steps for a set, and write the small scripts that they use.

    Args:
        data: what is trained on.
        folder: run directory, takes the scripts.
        processes: of MPI.
    """
    commands = step_commands(processes > 1, bool(data.constant))
    weights = tuple(weights_name(element) for element in data.elements)
    if data.constant:
        text = constants_script(data.constant, data.elements)
        write_bytes_atomic(folder / CONSTANTS_SCRIPT, text.encode())
    choice = choice_script(data.elements, data.settings.energy_emphasis)
    write_bytes_atomic(folder / CHOICE_SCRIPT, choice.encode())
    predicted = (ENERGIES, FORCES) if data.has_forces else (ENERGIES,)
    needs = {
        StepName.NORMALIZE: (INPUT, DATA),
        StepName.SCALING: (INPUT, DATA),
        StepName.TRAIN: (INPUT, DATA, SCALING),
        StepName.PREDICT: (INPUT, DATA, SCALING, *weights),
    }
    leaves = {
        StepName.NORMALIZE: (INPUT,),
        StepName.SCALING: (SCALING,),
        StepName.TRAIN: (CURVE, BEST, *weights),
        StepName.PREDICT: predicted,
    }
    return {name: Step(name, commands[name], needs[name], leaves[name]) for name in StepName}


def step_commands(mpi: bool, constant: bool) -> dict[StepName, tuple[Command, ...]]:
    """Return the programs of each step.

    Args:
        mpi: on several processes.
        constant: an element has one constant function, whose range needs mending.
    """
    mending = (Command(("sh", CONSTANTS_SCRIPT)),) if constant else ()
    return {
        StepName.NORMALIZE: (_program("nnp-norm", mpi=mpi),),
        StepName.SCALING: (_program("nnp-scaling", HISTOGRAM_BINS, mpi=mpi), *mending),
        StepName.TRAIN: (_program("nnp-train", mpi=mpi), Command(("sh", CHOICE_SCRIPT))),
        StepName.PREDICT: (_program("nnp-dataset", "0", mpi=mpi),),
    }


def _program(*argv: str, mpi: bool) -> Command:
    return Command(argv, stdout=f"{argv[0]}.out", mpi=mpi)
