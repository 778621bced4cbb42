"""Where frames are written to: one stream of text, or a writer that needs a path."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Protocol

from mlmd.errors import InvalidInput
from mlmd.formats.labels import EnergyKind, chosen_energy
from mlmd.frame import Frame


class FrameSink(Protocol):
    """Takes frames one by one."""

    def write(self, frame: Frame) -> None:
        """Take one frame.

        Raises:
            InvalidInput: the format can't hold it; others can still follow.
        """


class PathSink(ABC):
    """Base of sinks that write to a path of their own.

    Args:
        path: file or folder that doesn't exist yet.
        energy: which energy goes out.
    """

    def __init__(self, path: Path, energy: EnergyKind) -> None:
        self.path, self.energy = path, energy

    @abstractmethod
    def write(self, frame: Frame) -> None:
        """Take one frame."""

    @abstractmethod
    def close(self) -> None:
        """Write what is left."""

    def __enter__(self) -> PathSink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def labelled_energy(frame: Frame, kind: EnergyKind, format_name: str) -> float:
    """Return the energy to write.

    Raises:
        InvalidInput: the frame has none.
    """
    value = chosen_energy(frame, kind)
    if value is None:
        raise InvalidInput(
            f"{frame.calculation.source_name or 'frame'}: step {frame.ionic_step}",
            "no energy",
            "a labelled frame",
            f"{format_name} can only hold labelled frames.",
        )
    return value
