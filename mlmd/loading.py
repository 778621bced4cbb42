"""A potential of any family from its folder."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from mlmd.aenet.calculator import AenetCalculator
from mlmd.aenet.evaluator import AenetEvaluator
from mlmd.aenet.files import is_network, load_aenet
from mlmd.aenet.potential import AenetPotential
from mlmd.errors import InvalidInput
from mlmd.hdnnp.calculator import HDNNPCalculator, PotentialCalculator
from mlmd.hdnnp.devices import Device, chosen_device, instead, make_evaluator
from mlmd.hdnnp.evaluator import AtomwiseEvaluator
from mlmd.hdnnp.files import INPUT, load_potential
from mlmd.hdnnp.potential import Potential

AnyPotential = Potential | AenetPotential
"""What `read_potential` gives; all know ``elements``, ``cutoff_radius`` (Å) and ``parameters``."""


class FamilyName(StrEnum):
    """Families of potentials that the engine evaluates."""

    HDNNP = "hdnnp"
    AENET = "aenet"


def family_of(path: Path | str) -> FamilyName:
    """Return which family a folder's potential belongs to, by its files.

    Args:
        path: a folder with n2p2's ``input.nn``, ``scaling.data`` and weights, or with aenet's
            network files, one for each element.

    Raises:
        InvalidInput: the folder holds neither.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InvalidInput(str(folder), "no such folder", "the folder of a potential")
    if (folder / INPUT).is_file():
        return FamilyName.HDNNP
    if any(is_network(file) for file in folder.iterdir()):
        return FamilyName.AENET
    raise InvalidInput(
        str(folder), "no potential", f"n2p2's {INPUT} or aenet's network files, *.nn"
    )


def read_potential(path: Path | str) -> AnyPotential:
    """Read the potential of a folder, whichever family it belongs to.

    Raises:
        InvalidInput: the folder holds none, or a damaged file.
    """
    if family_of(path) is FamilyName.AENET:
        return load_aenet(path)
    return load_potential(path)


def evaluator_of(
    potential: AnyPotential,
    threads: int | None = None,
    device: Device | str | None = None,
    atoms: int | None = None,
) -> AtomwiseEvaluator:
    """Return what computes energies, forces and stress of a potential.

    Args:
        potential: of any family.
        threads: at most so many; None for ``NUMBA_NUM_THREADS`` or all cores of this process.
        device: as of `mlmd.hdnnp.devices.make_evaluator`; aenet's have the processor only.
        atoms: as of `mlmd.hdnnp.devices.make_evaluator`.
    """
    if isinstance(potential, AenetPotential):
        if chosen_device(device) is Device.GPU:
            instead("aenet's functions have no kernels there")
        return AenetEvaluator(potential, threads)
    return make_evaluator(potential, threads, device, atoms)


def load(
    path: Path | str, threads: int | None = None, device: Device | str | None = None
) -> PotentialCalculator:
    """Return an ASE calculator for a potential's folder.

    Args:
        path: as of `family_of`.
        threads: as of `evaluator_of`.
        device: as of `evaluator_of`.

    Raises:
        InvalidInput: the folder holds no potential, or a damaged file.
    """
    potential = read_potential(path)
    if isinstance(potential, AenetPotential):
        return AenetCalculator(potential, threads)
    return HDNNPCalculator(potential, threads, device)
