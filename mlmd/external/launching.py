"""What runs of all programs for training have in common."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mlmd.elements import SYMBOLS
from mlmd.frame import Frame
from mlmd.hdnnp.automatic import automatic_functions
from mlmd.hdnnp.training import TrainingSettings
from mlmd.hdnnp.training.estimate import kept_count
from mlmd.launch import Resources

# A run that takes longer than estimated must not be cut off.
WALLTIME_MARGIN = 4.0
LEAST_WALLTIME_S = 600
MOST_ELEMENTS = 10  # more than a set has, and the estimate is rough in any case

S = TypeVar("S")


@dataclass(frozen=True)
class ExternalSpec(Generic[S]):
    """What a run directory is prepared from.

    Args:
        settings: how to train.
        frames: on what.
        name: for people.
        data_checksum: of the selection, as the data's owner states it.
        processes: of MPI.
    """

    settings: S
    frames: Iterable[Frame]
    name: str = ""
    data_checksum: str = ""
    processes: int = 1


def resources_of(processes: int, seconds: float) -> Resources:
    """Return what to ask for a training of about so many seconds."""
    walltime = int(max(LEAST_WALLTIME_S, WALLTIME_MARGIN * seconds))
    return Resources(processes=processes, walltime_s=walltime)


def example_elements(count: int) -> tuple[str, ...]:
    """Return so many elements, for estimates that don't depend on which."""
    return SYMBOLS[1 : 1 + max(1, min(count, MOST_ELEMENTS))]


def functions_per_element(settings: TrainingSettings, elements: int) -> float:
    """Return how many symmetry functions an element will have."""
    names = example_elements(elements)
    if settings.symmetry_functions.strip():
        return settings.symmetry_functions.count("symfunction") / len(names)
    functions = automatic_functions(
        names,
        settings.cutoff_radius,
        settings.radial_functions,
        settings.widths,
        settings.zetas,
    )
    return kept_count(settings, len(functions[names[0]]))
