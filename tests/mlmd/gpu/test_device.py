"""What only a GPU can show: agreement in a cell of many atoms, and a list that lives on."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from mlmd.hdnnp.devices import gpu_trouble
from mlmd.hdnnp.evaluator import Evaluator

pytestmark = pytest.mark.skipif(bool(gpu_trouble()), reason=f"no GPU: {gpu_trouble()}")


def test_a_large_cell_agrees_with_the_processor_while_it_moves(large_case):
    from mlmd.hdnnp.gpu.evaluator import GpuEvaluator

    potential, atoms = large_case
    cpu, gpu = Evaluator(potential), GpuEvaluator(potential)
    rng = np.random.default_rng(0)
    x = atoms.positions.copy()
    for _ in range(4):
        theirs = cpu.compute(atoms.numbers, x, atoms.cell.array, True)
        mine = gpu.compute(atoms.numbers, x, atoms.cell.array, True)
        again = gpu.compute(atoms.numbers, x, atoms.cell.array, True)
        assert (mine.forces == again.forces).all()
        assert np.abs(mine.forces - theirs.forces).max() < 1e-4 * np.abs(theirs.forces).max()
        assert abs(mine.energy - theirs.energy) < 1e-5 * len(x)
        assert np.abs(mine.stress - theirs.stress).max() < 1e-4 * np.abs(theirs.stress).max()
        x += rng.normal(size=x.shape) * 0.1
    assert gpu.list_rebuilds >= 2


@pytest.fixture(scope="module")
def large_case(pytestconfig):
    import sys

    sys.path.insert(0, str(pytestconfig.rootpath / "benchmarks"))
    from engine_cases import default_potential, fitted_to

    small = bulk("Fe", a=2.8553, cubic=True) * (4, 4, 4)
    small.rattle(0.05, seed=1)
    atoms = bulk("Fe", a=2.8553, cubic=True) * (20, 20, 20)
    atoms.rattle(0.05, seed=1)
    potential = default_potential(("Fe",), seed=1)
    return fitted_to(potential, small.numbers, small.positions, small.cell.array), atoms
