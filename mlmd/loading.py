"""A potential of any family from its folder."""

from __future__ import annotations

from pathlib import Path

from mlmd.aenet.calculator import AenetCalculator
from mlmd.aenet.files import is_network
from mlmd.errors import InvalidInput
from mlmd.hdnnp.calculator import HDNNPCalculator, PotentialCalculator
from mlmd.hdnnp.files import INPUT


def load(path: Path | str, threads: int | None = None) -> PotentialCalculator:
    """Return an ASE calculator for a potential's folder.

    Args:
        path: a folder with n2p2's ``input.nn``, ``scaling.data`` and weights, or with aenet's
            network files, one for each element.
        threads: at most so many; None for ``NUMBA_NUM_THREADS`` or all cores of this process.

    Raises:
        InvalidInput: the folder holds neither, or a damaged file.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InvalidInput(str(folder), "no such folder", "the folder of a potential")
    if (folder / INPUT).is_file():
        return HDNNPCalculator(folder, threads)
    if any(is_network(file) for file in folder.iterdir()):
        return AenetCalculator(folder, threads)
    raise InvalidInput(
        str(folder), "no potential", f"n2p2's {INPUT} or aenet's network files, *.nn"
    )
