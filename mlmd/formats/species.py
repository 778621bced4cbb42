"""The species of atoms as the texts between the numbers of a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlmd.elements import SYMBOLS
from mlmd.number_text import Places


def species_texts(numbers: NDArray[np.uint8], form: str) -> tuple[list[str], Places]:
    """Return each atom's text for `mlmd.number_text.table_text`.

    Args:
        numbers: atomic numbers, shape (n,).
        form: with ``{}`` where the chemical symbol goes.

    Returns:
        The different texts, and the place of each atom's, shape (n,).
    """
    place = np.zeros(len(SYMBOLS), np.int64)
    present = np.flatnonzero(np.bincount(numbers, minlength=len(SYMBOLS)))
    place[present] = np.arange(len(present))
    return [form.format(SYMBOLS[z]) for z in present.tolist()], place[numbers]
