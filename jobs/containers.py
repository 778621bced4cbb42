"""The words before a program: its container, and the launcher that starts its processes.

MPI is hybrid: the launcher of the host starts one container a process, and the library inside
talks to it by PMIx. See docs/containers.md.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from labs.exceptions import Refused
from mlmd.launch import Resources

NONE = "none"
RUNTIMES = ("apptainer", "singularity", NONE)
USUAL_LAUNCHER = ("mpirun", "-np", "{processes}")


def contained(runtime: str, image: str, binds: Sequence[str], *, gpus: int = 0) -> tuple[str, ...]:
    """Return what goes before a program that lives in an image.

    Args:
        runtime: ``apptainer`` or ``singularity``.
        image: path on the cluster.
        binds: folders that the program sees under their own names.
        gpus: of a node; with any, the drivers of the host go in.
    """
    # Compute nodes may not have the home folder, and what lies there must not decide a result.
    flags = ("--no-home", *(("--nv",) if gpus else ()))
    return (
        runtime,
        "exec",
        *flags,
        *(f"--bind={folder}" for folder in dict.fromkeys(binds)),
        image,
    )


def launcher_words(launcher: Sequence[str], resources: Resources) -> list[str]:
    """Return the launcher's words with the numbers of a run filled in.

    Args:
        launcher: words that may hold the names of `_numbers` in braces.
        resources: of the run.
    """
    numbers = _numbers(resources)
    return [word.format_map(numbers) for word in launcher]


def _numbers(resources: Resources) -> Mapping[str, int]:
    return {
        "processes": resources.nodes * resources.processes,
        "per_node": resources.processes,
        "nodes": resources.nodes,
        "threads": resources.threads,
    }


def launcher_from_text(text: str) -> list[str]:
    """Read how MPI programs start, for example ``srun --mpi=pmix -n {processes}``.

    Raises:
        Refused: it can't be read, or names a number that isn't known.
    """
    try:
        words = shlex.split(text)
        launcher_words(words, Resources())
    except (ValueError, KeyError, IndexError, AttributeError):
        words = []
    if not words:
        raise Refused(
            _(
                "MPI launcher “%(text)s”: write a command; {processes}, {per_node}, {nodes} and "
                "{threads} stand for the numbers of a run."
            )
            % {"text": text}
        )
    return words


def binds_from_text(text: str) -> list[str]:
    """Read absolute folders, one a line.

    Raises:
        Refused: with the line that is none.
    """
    folders = [line.strip() for line in text.splitlines() if line.strip()]
    for folder in folders:
        if not folder.startswith("/") or ".." in folder.split("/") or "," in folder:
            raise Refused(
                _("Folder for containers “%(folder)s”: write an absolute path, one a line.")
                % {"folder": folder}
            )
    return folders


def runtime_of(options: Mapping[str, Any]) -> str:
    """Return the container runtime of a cluster; the first known one where nobody said."""
    runtime = str(options.get("container", RUNTIMES[0]))
    return RUNTIMES[0] if runtime == NONE else runtime
