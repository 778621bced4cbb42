"""A training with aenet as a run of the job machine."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from mlmd.aenet.data import prepare_data
from mlmd.aenet.input_files import (
    BEST,
    POTENTIAL_FOLDER,
    TRAIN_LOG,
    write_generate,
    write_structures,
    write_train,
)
from mlmd.aenet.potential import ChebyshevBasis
from mlmd.aenet.results import SPEC_FILE, write_spec
from mlmd.aenet.settings import AenetSettings, FunctionKind, Method
from mlmd.aenet.steps import GENERATE_PROGRAM, TRAIN_PROGRAM, StepName, commands_of
from mlmd.external.launching import (
    ExternalSpec,
    example_elements,
    functions_per_element,
    resources_of,
)
from mlmd.hdnnp.training import PARITY_FILE
from mlmd.launch import Command, Launch

MLMD = "mlmd"
PROGRAMS = (GENERATE_PROGRAM, TRAIN_PROGRAM, MLMD)
"""Codes that a cluster needs recipes for."""

START_UP = 5.0


AenetSpec = ExternalSpec[AenetSettings]
"""What a run directory is prepared from."""


def prepare(spec: AenetSpec, run_dir: Path | str) -> Launch:
    """Write a run directory: training set, training, comparison, one after another.

    Raises:
        InvalidInput: no frame can be used.
    """
    folder = Path(run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    data = prepare_data(spec.settings, list(spec.frames))
    write_structures(data, folder)
    write_generate(data, folder)
    write_train(data, folder)
    write_spec(data, folder, spec.name, spec.data_checksum)
    return launch_of(
        spec.settings,
        len(data.frames),
        sum(map(len, data.frames)),
        len(data.elements),
        spec.processes,
    )


def launch_of(
    settings: AenetSettings, frames: int, atoms: int, elements: int, cores: int
) -> Launch:
    """Return what `prepare` will say to launch.

    Args:
        settings: how to train.
        frames: how many.
        atoms: in all of them.
        elements: how many.
        cores: MPI processes.
    """
    processes = _processes(settings, frames, cores)
    seconds = estimate_seconds(settings, frames, atoms, elements, processes)
    commands = [c for name in StepName for c in commands_of(name, processes > 1)]
    return Launch(
        commands=(*commands, Command((MLMD, "aenet", "--run-dir", "."))),
        fetch=(TRAIN_LOG, BEST, PARITY_FILE, SPEC_FILE, f"{POTENTIAL_FOLDER}/*.nn"),
        live=(TRAIN_LOG,),
        resources=resources_of(processes, seconds),
    )


def _processes(settings: AenetSettings, frames: int, cores: int) -> int:
    # Only the L-BFGS method shares its work; a process without a structure has nothing to do.
    shares = settings.parallel and settings.method is Method.BFGS
    return max(1, min(cores, frames)) if shares else 1


# aenet 2.0.4 on one core of a current x86 server: s per atom and function (generate.x), and per
# atom, weight and epoch (train.x), rounded up.
SECONDS_PER_FUNCTION = {FunctionKind.CHEBYSHEV: 1e-5, FunctionKind.SYMMETRY: 1e-4}
SECONDS_PER_WEIGHT = 8e-8
SLOWER = {Method.BFGS: 1.0, Method.LEVENBERG_MARQUARDT: 3.0}


def estimate_seconds(
    settings: AenetSettings, frames: int, atoms: int, elements: int, cores: int
) -> float:
    """Return about how long a training takes, s; a rough guess.

    Args:
        settings: how to train.
        frames: how many.
        atoms: in all of them.
        elements: how many.
        cores: MPI processes.
    """
    count = _count(settings, elements)
    sizes = (count, *settings.as_ours.layers, 1)
    weights = sum((a + 1) * b for a, b in pairwise(sizes))
    each = weights * SECONDS_PER_WEIGHT * SLOWER[settings.method]
    epochs = settings.epochs * atoms * each / max(1, _processes(settings, frames, cores))
    return START_UP + atoms * count * SECONDS_PER_FUNCTION[settings.functions] + epochs


def _count(settings: AenetSettings, elements: int) -> float:
    if settings.functions is not FunctionKind.CHEBYSHEV:
        return functions_per_element(settings.as_ours, elements)
    radius = settings.cutoff_radius
    names = example_elements(elements)
    return ChebyshevBasis(
        names, radius, settings.radial_order, radius, settings.angular_order
    ).count
