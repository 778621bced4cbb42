"""How many repeats make a cell wide enough."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule

from mlmd.structure import bulk_repeats


def faces(atoms: Atoms) -> np.ndarray:
    return 1.0 / np.linalg.norm(np.linalg.inv(atoms.cell.complete()), axis=0)


@pytest.mark.parametrize("atoms", [bulk("Si", cubic=True), bulk("Si"), bulk("Ti"), bulk("Po")])
def test_every_direction_is_wide_enough_and_none_is_wasted(atoms):
    counts = bulk_repeats(atoms, 10.0)
    widths = faces(atoms) * counts
    assert (widths >= 10.0 - 1e-9).all()
    assert (widths - faces(atoms) < 10.0).all()


def test_only_periodic_directions_are_repeated():
    slab = fcc111("Al", (1, 1, 3), vacuum=6.0)
    assert bulk_repeats(slab)[2] == 1
    assert bulk_repeats(slab)[0] > 1
    assert bulk_repeats(molecule("H2O")) == (1, 1, 1)


def test_a_cell_of_just_that_width_is_kept():
    assert bulk_repeats(Atoms("H", cell=[10.0, 10.0, 10.0], pbc=True), 10.0) == (1, 1, 1)
