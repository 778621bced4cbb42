"""Raw symmetry functions of a structure, element by element, as training sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import ArrayLike, NDArray

from mlmd.frame import FloatArray
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.potential import Potential


@dataclass(frozen=True)
class ElementDescriptors:
    """Raw symmetry functions of one element's atoms.

    Args:
        element: symbol.
        atoms: their indices in the structure, shape (A,).
        values: shape (A, S), in the order of the potential's functions.
    """

    element: str
    atoms: NDArray[np.int64]
    values: FloatArray


def descriptors(
    potential: Potential,
    numbers: ArrayLike,
    positions: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
    threads: int | None = None,
) -> tuple[ElementDescriptors, ...]:
    """Return the raw symmetry functions of every atom, grouped by element.

    Args:
        potential: whose functions; its networks and scaling play no part.
        numbers: atomic numbers, shape (N,).
        positions: shape (N, 3), Å.
        cell: lattice vectors as rows, shape (3, 3), Å.
        pbc: periodic along each lattice vector.
        threads: at most so many.

    Returns:
        One entry per element of the potential, also for those that the structure lacks.

    Raises:
        InvalidInput: as `Evaluator.compute`.
    """
    z = np.asarray(numbers, dtype=np.int64).reshape(-1)
    evaluator = Evaluator(potential, threads, skin=0.0)
    try:
        values = evaluator.symmetry_functions(z, positions, cell, pbc)
    finally:
        evaluator.close()
    result = []
    for element in potential.elements:
        atoms = np.flatnonzero(z == atomic_numbers[element])
        count = len(potential.functions[element])
        result.append(ElementDescriptors(element, atoms, values[atoms, :count]))
    return tuple(result)
