"""What a cluster offers: folders, recipes, room for further runs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from jobs.containers import contained, runtime_of
from jobs.models import Cluster, Job
from jobs.script import Recipe
from mlmd.launch import Resources

# Programs that the built-in cluster offers when they are installed.
FOUND_HERE = (
    "pw.x",
    "nnp-norm",
    "nnp-scaling",
    "nnp-train",
    "nnp-dataset",
    "lmp",
    "generate.x",
    "train.x",
)
# Fortran's programs write at once what they print: learning curves are looked at while they grow.
PROMPT = {"GFORTRAN_UNBUFFERED_PRECONNECTED": "y"}


def recipes_of(cluster: Cluster, *, gpus: int = 0) -> dict[str, Recipe]:
    """Return how each code starts on the cluster, by the code's name.

    Args:
        cluster: where it starts.
        gpus: of a node, for codes in containers.
    """
    recipes = _recipes_here() if cluster.is_builtin else {}
    for code, entry in cluster.recipes.items():
        recipes[code] = Recipe(
            argv=(*_contained(cluster, entry, gpus), *entry["argv"]),
            environment=dict(entry.get("environment", {})),
            setup=tuple(entry.get("setup", ())),
        )
    return recipes


def _contained(cluster: Cluster, entry: Mapping[str, Any], gpus: int) -> tuple[str, ...]:
    image = entry.get("image")
    if not image:
        return ()
    work = cluster.work_dir or str(settings.LOCAL_CLUSTER_DIR)
    binds = (work, *cluster.options.get("binds", ()), *entry.get("binds", ()))
    return contained(runtime_of(cluster.options), image, binds, gpus=gpus)


def _recipes_here() -> dict[str, Recipe]:
    recipes = {"mlmd": _mlmd_here()}
    for code in FOUND_HERE:
        program = shutil.which(code)
        if program:
            recipes[code] = Recipe((program,), {**_mpi_here(), **PROMPT})
        elif (installed := Path(sys.executable).with_name(code)).is_file():
            # A package of this environment; MPI that came with it goes before the system's.
            first = f"{installed.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
            recipes[code] = Recipe((str(installed),), {**_mpi_here(), "PATH": first})
    return recipes


def _mpi_here() -> dict[str, str]:
    """Return what Open MPI needs on a machine that several runs share; others ignore it."""
    # Bound to cores, the processes of every run would crowd on the first ones.
    shared = {"OMPI_MCA_hwloc_base_binding_policy": "none"}
    if os.geteuid() == 0:  # as in a container, where it would refuse to start
        return {**shared, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return shared


def _mlmd_here() -> Recipe:
    # Not stored: the interpreter moves with the checkout.
    return Recipe((sys.executable, "-m", "mlmd"), {"PYTHONPATH": str(settings.BASE_DIR)})


def run_folder(job: Job, attempt: int | None = None) -> str:
    """Return the absolute path of an attempt's run directory on the cluster; by default the last."""
    base = job.cluster.work_dir or str(Path(settings.LOCAL_CLUSTER_DIR))
    return f"{base.rstrip('/')}/{job.public_id}-{attempt or job.attempt}"


def cores_of(cluster: Cluster) -> int | None:
    """Return how many cores runs may use at once; None where a scheduler looks after that."""
    if cluster.cores:
        return cluster.cores
    return os.cpu_count() or 1 if cluster.scheduler == "direct" else None


def need(job: Job) -> int:
    """Return the cores that a job takes."""
    resources = resources_of(job)
    cores = resources.nodes * resources.processes * resources.threads
    return max(1, cores * resources.at_once)


def resources_of(job: Job) -> Resources:
    """Return what the job asks for; before it is prepared, what its creator asked for."""
    return known_resources(job.resources)


def known_resources(values: Mapping[str, Any]) -> Resources:
    """Return resources from a mapping that may hold more."""
    known = Resources.__dataclass_fields__
    return Resources(**{name: value for name, value in values.items() if name in known})


def with_room(cluster: Cluster, waiting: Iterable[Job], working: Iterable[Job]) -> list[Job]:
    """Return the waiting jobs that may start now, first come first served.

    One that needs more cores than there are starts when nothing else works; nobody overtakes,
    so that a large run isn't starved by small ones.
    """
    cores = cores_of(cluster)
    waiting = list(waiting)
    if cores is None:
        return waiting
    used = sum(need(job) for job in working)
    chosen: list[Job] = []
    for job in waiting:
        if used and used + need(job) > cores:
            break
        used += need(job)
        chosen.append(job)
    return chosen
