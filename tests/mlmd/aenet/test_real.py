"""aenet itself, where it is installed: from silicon to a potential that our engine reads."""

from __future__ import annotations

import numpy as np
import pytest

from mlmd.aenet.conversion import as_aenet, as_n2p2
from mlmd.aenet.evaluator import AenetEvaluator
from mlmd.aenet.files import load_aenet
from mlmd.aenet.pipeline import Aenet
from mlmd.aenet.prediction import predict_frames
from mlmd.aenet.writing import Form, save_aenet
from mlmd.data import silicon_frames
from mlmd.external.programs import Programs
from mlmd.hdnnp.evaluator import Evaluator

QUIET = {"told": lambda fraction, words: None, "hidden_nodes": "6", "cutoff_radius": 5.0}


@pytest.mark.parametrize("functions", ["chebyshev", "symmetry"])
@pytest.mark.parametrize("method", ["bfgs", "lm"])
def test_silicon_is_learned_and_both_engines_agree(
    real_programs: Programs, functions: str, method: str, tmp_path
) -> None:
    aenet = Aenet(
        silicon_frames()[::6], tmp_path / "run", programs=real_programs, epochs=8,
        functions=functions, method=method, angular_zetas="1", radial_functions=4, **QUIET,
    )  # fmt: skip
    result = aenet.run()
    best = result.best_epoch
    assert len(result.curve) == 9
    # What train.x prints has seven digits: its energies and those of our engine are the same.
    assert result.training.energy_rmse == pytest.approx(
        1000 * result.curve.energy_train[best], rel=2e-6
    )
    assert result.validation.energy_rmse == pytest.approx(
        1000 * result.curve.energy_test[best], rel=2e-6
    )
    frames = silicon_frames()[:4]
    found = aenet.predict(frames)
    evaluator = AenetEvaluator(aenet.potential(), 1)
    for frame, energy, forces in zip(frames, found.energies, found.forces, strict=True):
        ours = evaluator.compute(frame.numbers, frame.positions, frame.cell, frame.pbc)
        assert abs(ours.energy - energy) <= 0.6e-8
        assert np.abs(ours.forces - forces).max() <= 0.51e-6


def test_the_same_seed_gives_the_same_potential(real_programs: Programs, tmp_path) -> None:
    frames = silicon_frames()[::6]
    results = [
        Aenet(frames, tmp_path / name, programs=real_programs, epochs=3, **QUIET).run()
        for name in "ab"
    ]
    np.testing.assert_array_equal(results[0].curve.energy_test, results[1].curve.energy_test)


def test_aenet_reads_what_was_converted_and_written(real_programs: Programs, tmp_path) -> None:
    frames = silicon_frames()[::6]
    aenet = Aenet(
        frames, tmp_path / "run", programs=real_programs, epochs=2, functions="symmetry", **QUIET
    )
    aenet.train()
    theirs = as_n2p2(aenet.potential())
    ours = Evaluator(theirs, 1).compute(
        frames[0].numbers, frames[0].positions, frames[0].cell, frames[0].pbc
    )
    for form in Form:
        folder = tmp_path / form.value
        save_aenet(as_aenet(theirs), folder, form)
        found = predict_frames(frames[:1], folder, real_programs)
        assert abs(found.energies[0] - ours.energy) <= 0.6e-8
        assert np.abs(found.forces[0] - ours.forces).max() <= 0.51e-6
        assert load_aenet(folder).elements == ("Si",)
