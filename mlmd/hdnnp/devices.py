"""Where a potential is evaluated: on the processor or on a GPU."""

from __future__ import annotations

import os
from enum import StrEnum

from mlmd.errors import InvalidInput

VARIABLE = "MLMD_DEVICE"


class Device(StrEnum):
    """What evaluates a potential."""

    CPU = "cpu"
    GPU = "gpu"
    AUTO = "auto"


class ProcessorInstead(UserWarning):
    """A GPU was wanted, and the processor does the work."""


def chosen_device(device: Device | str | None) -> Device:
    """Return what was asked for, or what ``MLMD_DEVICE`` says; the processor otherwise.

    Raises:
        InvalidInput: no such device.
    """
    where = "device" if device is not None else VARIABLE
    said = os.environ.get(VARIABLE, "") or Device.CPU if device is None else device
    try:
        return Device(said)
    except ValueError:
        raise InvalidInput(where, repr(str(said)), ", ".join(Device)) from None


def gpu_trouble() -> str:
    """Return in words why no GPU can be used here; empty if one can."""
    try:
        from numba import cuda
    except ImportError as error:
        return f"Numba has no CUDA here ({error})"
    if not cuda.is_available():
        return "no CUDA driver, GPU or toolkit was found"
    return ""
