"""Runs the GPU's code in Numba's simulator and prints how far it is from the processor's, as JSON.

NUMBA_ENABLE_CUDASIM=1 python tests/mlmd/gpu/simulated.py [--lanes 32] [--reference DIR] CASE…
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parent / "hdnnp")]
# The simulator's scheduler turns in circles: let the others have their turn at once.
sys.setswitchinterval(1e-5)

from conftest import make_potential, make_structure  # noqa: E402

from mlmd.errors import InvalidInput  # noqa: E402
from mlmd.hdnnp.evaluator import Evaluator  # noqa: E402
from mlmd.hdnnp.files import load_potential  # noqa: E402
from mlmd.hdnnp.gpu import lanes  # noqa: E402
from mlmd.hdnnp.potential import (  # noqa: E402
    Activation,
    CutoffType,
    Potential,
    SymmetryFunction,
    sort_functions,
)


def few_functions(center):
    """One function of every path through the kernels."""
    return sort_functions(
        [
            SymmetryFunction(2, center, ("H",), 0.3, 0.2, 0, 0, 4.0),
            SymmetryFunction(2, center, ("O",), 0.3, 0.0, 0, 0, 3.5),
            SymmetryFunction(3, center, ("H", "O"), 0.05, 0.3, -1.0, 2.0, 4.0),
            SymmetryFunction(9, center, ("H", "H"), 0.05, 0.0, 1.0, 4.0, 4.0),
            SymmetryFunction(9, center, ("H", "O"), 0.1, 0.0, -1.0, 1.0, 3.5),
            SymmetryFunction(9, center, ("O", "O"), 0.1, 0.0, -1.0, 2.5, 4.0),
        ]
    )


def many_widths(center):
    """Wide functions of four widths, as moments."""
    return sort_functions(
        [
            SymmetryFunction(9, center, pair, eta, 0.0, lam, zeta, 4.0)
            for eta in (0.02, 0.05, 0.1, 0.2)
            for pair, lam, zeta in ((("H", "H"), 1.0, 2.0), (("H", "O"), -1.0, 3.0))
        ]
    )


def differences(potential: Potential, arguments, evaluators=None) -> dict:
    """Compare one structure; forces and stress against their largest number."""
    from mlmd.hdnnp.gpu.evaluator import GpuEvaluator

    cpu, gpu = evaluators or (Evaluator(potential, 1), GpuEvaluator(potential, 1))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        mine, theirs = gpu.compute(*arguments), cpu.compute(*arguments)
    scale = np.abs(theirs.forces).max()
    stress = np.abs(theirs.stress).max()
    return {
        "atoms": len(arguments[0]),
        "forces": float(np.abs(mine.forces - theirs.forces).max() / scale),
        "stress": float(np.abs(mine.stress - theirs.stress).max() / stress) if stress else 0.0,
        "energy": float(np.abs(mine.atomic_energies - theirs.atomic_energies).max()),
        "sum": float(np.abs(mine.forces.sum(axis=0)).max()),
        "rebuilds": gpu.list_rebuilds,
        "outside": [mine.extrapolation_count, theirs.extrapolation_count],
        "listed": len(mine.extrapolations),
        "said": [str(w.message) for w in said],
    }


def reference(folder: Path, system: str) -> dict:
    """Compare the first structure of a reference system."""
    block = (folder / "n2p2" / system / "input.data").read_text().split("begin")[1]
    rows = [line.split() for line in block.splitlines() if line.split()]
    cell = [[float(x) for x in row[1:4]] for row in rows if row[0] == "lattice"]
    atoms = [row for row in rows if row[0] == "atom"]
    return differences(
        load_potential(folder / "n2p2" / system, "angstrom", "ev"),
        (
            np.array([atomic_numbers[row[4]] for row in atoms]),
            np.array([[float(x) for x in row[1:4]] for row in atoms]),
            np.array(cell) if cell else np.zeros((3, 3)),
            bool(cell),
        ),
    )


def every_cutoff() -> dict:
    """A molecule with each cutoff function."""
    numbers, x = np.array([1, 8, 1]), np.array([[0, 0, 0], [1.1, 0.2, 0], [1.6, 1.3, 0.4]])
    return {
        kind.name: differences(
            make_potential(kind, 0.3 if kind in (1, 4, 7) else 0.0, choose=few_functions),
            (numbers, x, np.zeros((3, 3)), False),
        )
        for kind in CutoffType
    }


def every_activation() -> dict:
    """A molecule with each activation function."""
    numbers, x = np.array([1, 8, 1]), np.array([[0, 0, 0], [1.1, 0.2, 0], [1.6, 1.3, 0.4]])
    return {
        kind.name: differences(
            make_potential(activation=kind, choose=few_functions),
            (numbers, x, np.zeros((3, 3)), False),
        )
        for kind in Activation
    }


def molecule() -> dict:
    """Three atoms and every path through the kernels."""
    numbers, x = np.array([1, 8, 1]), np.array([[0, 0, 0], [1.1, 0.2, 0], [1.6, 1.3, 0.4]])
    return differences(make_potential(choose=few_functions), (numbers, x, np.zeros((3, 3)), False))


def cells() -> dict:
    """A skewed cell much smaller than the cutoff, a wire and a slab."""
    potential = make_potential(choose=few_functions)
    cell = np.array([[2.1, 0.0, 0.0], [0.9, 2.3, 0.0], [-0.5, 0.7, 2.2]])
    numbers, x = np.array([1, 8]), np.array([[0.1, 0.2, 0.1], [1.2, 1.3, 1.1]])
    found = {
        name: differences(potential, (numbers, x + 9.0, cell, pbc))
        for name, pbc in (
            ("small", True),
            ("wire", (False, False, True)),
            ("slab", (True, True, False)),
        )
    }
    full = make_structure(3, 5, (True, False, True))
    small = numbers, x + 9.0, cell, (True, True, False)
    found["widths"] = differences(make_potential(choose=many_widths), small)
    found["every function"] = differences(make_potential(), full.arguments)
    return found


def movement() -> list[dict]:
    """Atoms and cell that move: the list is kept, then built anew."""
    from mlmd.hdnnp.gpu.evaluator import GpuEvaluator

    potential = make_potential(choose=few_functions)
    evaluators = Evaluator(potential, 1), GpuEvaluator(potential, 1)
    s = make_structure(1, 5)
    rng = np.random.default_rng(0)
    found = [differences(potential, s.arguments, evaluators)]
    x = s.positions + rng.uniform(-0.1, 0.1, size=s.positions.shape)
    found.append(differences(potential, (s.numbers, x, s.cell, True), evaluators))
    strain = np.eye(3) + 0.02 * rng.uniform(-1, 1, size=(3, 3))
    found.append(differences(potential, (s.numbers, x @ strain, s.cell @ strain, True), evaluators))
    found.append(differences(potential, (s.numbers, x, s.cell, True), evaluators))
    found.append(differences(potential, (s.numbers, x + 3 * s.cell[0], s.cell, True), evaluators))
    return found


def repeated() -> dict:
    """The same twice, other results of the same evaluator, and what it leaves to the processor."""
    from mlmd.hdnnp.gpu import evaluator as module

    potential = make_potential(choose=few_functions)
    cpu, gpu = Evaluator(potential, 1), module.GpuEvaluator(potential, 1)
    s = make_structure(2, 4)
    one, two = gpu.compute(*s.arguments), gpu.compute(*s.arguments)
    functions = cpu.symmetry_functions(*s.arguments)
    found = {
        "same": bool((one.forces == two.forces).all() and one.energy == two.energy),
        "energies": float(
            np.abs(gpu.atomic_energies(*s.arguments) - cpu.atomic_energies(*s.arguments)).max()
        ),
        "functions": float(
            np.abs(gpu.symmetry_functions(*s.arguments) - functions).max() / functions.max()
        ),
        "empty": float(gpu.compute([], np.zeros((0, 3)), s.cell, True).energy),
    }
    close = s.positions.copy()
    close[1] = close[0] + 1e-13
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            gpu.compute(s.numbers, close, s.cell, True)
        except InvalidInput as error:
            found["refused"] = str(error)
        module.TRUST = 1e-9
        module._agreed.clear()
        strange = module.GpuEvaluator(potential, 1)
        found["distrusted"] = all(
            bool((strange.compute(*s.arguments).forces == theirs).all())
            for theirs in [cpu.compute(*s.arguments).forces] * 2
        )
        module.layout_for.__globals__["SHARED_BYTES"] = 100
        instead = gpu.compute(*s.arguments)
    found["instead"] = bool((instead.forces == cpu.compute(*s.arguments).forces).all())
    found["said"] = [str(w.message) for w in said]
    return found


def network_shapes() -> dict:
    """A network deeper than the others', and inputs without scaling."""
    base = make_potential(choose=few_functions)
    rng = np.random.default_rng(5)
    network = replace(
        base.networks["O"],
        weights=tuple(rng.normal(size=shape) for shape in ((6, 9), (9, 3), (3, 4), (4, 1))),
        biases=tuple(rng.normal(size=n) for n in (9, 3, 4, 1)),
        activations=(Activation.TANH,) * 3 + (Activation.LINEAR,),
    )
    deeper = replace(base, networks={**base.networks, "O": network}, normalize_nodes=True)
    s = make_structure(4, 4)
    return {"deeper": differences(deeper, s.arguments)}


def lists() -> dict:
    """Neighbours of many atoms: cells of many bins, of one bin, elongated, with atoms outside."""
    from mlmd.hdnnp.gpu.lists import DeviceList
    from mlmd.neighbors import neighbor_list

    rng = np.random.default_rng(1)
    found = {}
    for name, shape, pbc, atoms in (
        ("many bins", (9.0, 10.0, 11.0), (True, True, True), 60),
        ("long and thin", (30.0, 1.5, 2.5), (True, True, True), 20),
        ("wire", (3.0, 30.0, 3.0), (False, True, False), 40),
        ("molecule", (3.0, 3.0, 8.0), (False, False, False), 40),
        ("small", (1.1, 1.3, 1.2), (True, True, False), 2),
    ):
        cell = np.diag(shape) + rng.uniform(-0.2, 0.2, size=(3, 3)) * min(shape)
        x = rng.uniform(-1.0, 2.0, size=(atoms, 3)) @ cell
        kinds = rng.integers(0, 2, size=atoms).astype(np.int32)
        device = DeviceList(2.0, 0.6, 2)
        device.update(kinds, x, cell, pbc)
        around = device.around
        first, codes = around.first.copy_to_host(), around.codes.copy_to_host()
        places, shifts = around.positions.copy_to_host(), around.shifts.copy_to_host()
        order, elements = around.order.copy_to_host(), around.elements.copy_to_host()
        rows = []
        for slot in range(2 * atoms):
            i, kind = divmod(slot, 2)
            for code in codes[first[slot] : first[slot + 1]]:
                j, shift = code >> around.bits, code & ((1 << around.bits) - 1)
                assert elements[j] == kind == kinds[order[j]]
                vector = places[j] + shifts[shift] - places[i]
                rows.append((order[i], order[j], *np.round(vector, 6)))
        truth = neighbor_list(x, cell, pbc, 2.6)
        counts = np.diff(truth.first)
        wanted = [
            (i, j, *np.round(v, 6))
            for i, j, v in zip(
                np.repeat(np.arange(atoms), counts), truth.neighbors, truth.vectors, strict=True
            )
        ]
        table = [np.array(sorted(map(tuple, rows_)), dtype=float) for rows_ in (rows, wanted)]
        found[name] = {
            "pairs": len(wanted),
            "equal": table[0].shape == table[1].shape and bool(np.allclose(*table, atol=2e-6)),
        }
    return found


CASES = {
    "lists": lists,
    "cutoffs": every_cutoff,
    "activations": every_activation,
    "cells": cells,
    "movement": movement,
    "repeated": repeated,
    "networks": network_shapes,
    "molecule": molecule,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="+")
    parser.add_argument("--lanes", type=int)
    parser.add_argument("--reference", type=Path)
    options = parser.parse_args()
    if options.lanes:
        # Before any kernel takes the number.
        lanes.LANES = options.lanes
        lanes._box[:] = [0] * options.lanes
    found = {
        case: CASES[case]() if case in CASES else reference(options.reference, case)
        for case in options.cases
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
