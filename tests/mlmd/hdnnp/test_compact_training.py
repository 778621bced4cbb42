"""A training whose functions are typed in by hand, compact ones among them."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np

from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.training import PARITY_FILE, TrainingSettings, load_parity, train
from tests.mlmd.training.materials import crystal

ELEMENTS = ("O", "Si")


def function_lines() -> str:
    radial = [f"20 {n} {window} p2a" for n in ELEMENTS for window in ("-6 6", "0.5 4", "2 6")]
    angular = [
        f"22 {a} {b} -6 6 {angles} p2a"
        for a, b in combinations_with_replacement(ELEMENTS, 2)
        for angles in ("0 120", "60 180", "-90 90")
    ]
    lines = [*radial, *angular, "24 0.3 5 20 160 p3", "2 O 0.1 0 6", "2 Si 0.1 0 6"]
    return "\n".join(f"symfunction_short {center} {line}" for center in ELEMENTS for line in lines)


def test_compact_functions_are_trained_and_evaluated_alike(tmp_path):
    frames = crystal(list(ELEMENTS), 10, kind="crystal")
    settings = TrainingSettings(
        epochs=3, threads=1, hidden_nodes="6", symmetry_functions=function_lines()
    )
    result = train(settings, frames, tmp_path)
    potential = load_potential(result.potential)
    kinds = {f.kind for functions in potential.functions.values() for f in functions}
    assert kinds == {2, 20, 22, 24}
    evaluator = Evaluator(potential, threads=1)
    parity = load_parity(tmp_path / PARITY_FILE)
    for row, index in enumerate(parity.frame):
        frame = frames[index]
        found = evaluator.compute(frame.numbers, frame.positions, frame.cell, frame.pbc)
        assert abs(found.energy / len(frame) - parity.energy_predicted[row]) < 1e-9
        # Gradients are kept in single precision while training.
        np.testing.assert_allclose(
            found.forces.ravel(), parity.force_predicted[parity.force_row == row], atol=2e-5
        )
