"""Where a potential is evaluated: on the processor or on a GPU."""

from __future__ import annotations

import os
import warnings
from enum import StrEnum

from mlmd.errors import InvalidInput
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.potential import Potential

VARIABLE = "MLMD_DEVICE"
# Starting its kernels costs a GPU more than so few atoms cost the processor.
LEAST_ATOMS_FOR_GPU = 2000
LEAST_CAPABILITY = (7, 0)


class Device(StrEnum):
    """What evaluates a potential."""

    CPU = "cpu"
    GPU = "gpu"
    AUTO = "auto"


class ProcessorInstead(UserWarning):
    """A GPU was wanted, and the processor does the work."""


def chosen_device(device: Device | str | None) -> Device:
    """Return where to evaluate: what was asked for, or what the environment says.

    Args:
        device: None takes ``MLMD_DEVICE``, and the processor where that is not set;
            ``auto`` takes it where it is set.

    Raises:
        InvalidInput: no such device.
    """
    said = os.environ.get(VARIABLE, "")
    wanted = _device(device, "device") if device is not None else None
    if said and wanted in (None, Device.AUTO):
        return _device(said, VARIABLE)
    return wanted or Device.CPU


def make_evaluator(
    potential: Potential,
    threads: int | None = None,
    device: Device | str | None = None,
    atoms: int | None = None,
) -> Evaluator:
    """Return what computes energies, forces and stress, on the processor or on a GPU.

    Args:
        potential: what to evaluate.
        threads: as of `Evaluator`.
        device: as of `chosen_device`. Where no GPU can be used, ``gpu`` takes the
            processor with a `ProcessorInstead` warning, ``auto`` without one.
        atoms: how many there will be; ``auto`` leaves few to the processor.

    Raises:
        InvalidInput: no such device.
    """
    wanted = chosen_device(device)
    few = atoms is not None and atoms < LEAST_ATOMS_FOR_GPU
    if wanted is Device.CPU or (wanted is Device.AUTO and few):
        return Evaluator(potential, threads)
    trouble = gpu_trouble()
    if not trouble:
        # Numba's CUDA is loaded by who has a GPU only.
        from mlmd.hdnnp.gpu.evaluator import GpuEvaluator, unsupported

        trouble = unsupported(potential)
        if not trouble:
            return GpuEvaluator(potential, threads)
    if wanted is Device.GPU:
        instead(trouble)
    return Evaluator(potential, threads)


def _device(name: str, where: str) -> Device:
    try:
        return Device(name)
    except ValueError:
        raise InvalidInput(where, repr(str(name)), ", ".join(Device)) from None


def instead(reason: str) -> None:
    """Warn that the processor does what was meant for a GPU."""
    warnings.warn(f"The processor computes, not the GPU: {reason}.", ProcessorInstead, stacklevel=3)


def gpu_trouble() -> str:
    """Return in words why no GPU can be used here; empty if one can."""
    try:
        from numba import cuda
    except ImportError as error:
        return f"Numba has no CUDA here ({error})"
    if not cuda.is_available():
        return "no GPU, CUDA driver or compiler was found"
    capability = cuda.get_current_device().compute_capability
    if tuple(capability) < LEAST_CAPABILITY:
        return f"compute capability {capability[0]}.{capability[1]} is too old, 7.0 is needed"
    return ""
