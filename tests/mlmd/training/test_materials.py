"""Training with default settings must not fail for any material."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mlmd.errors import InvalidInput
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.training import automatic_settings, train
from tests.mlmd.training.materials import CUBE, crystal, label, molecules

SETS = {
    "one element": lambda: crystal(["Si"], 12),
    "two elements": lambda: crystal(["Si", "O"], 12),
    "one stoichiometry": lambda: molecules(10),
    "three elements": lambda: crystal(["Li", "O", "Ti"], 8),
    "five elements": lambda: crystal(["C", "N", "Na", "S", "Fe"], 5),
    "six elements": lambda: crystal(["H", "C", "N", "O", "Si", "Fe"], 4),
    "heavy element": lambda: crystal(["U"], 6, size=3.6),
    "single frame": lambda: crystal(["Si"], 1),
    "two frames": lambda: crystal(["Cu"], 2),
    "five frames": lambda: crystal(["Cu"], 5),
    "hydrogen alone": lambda: [
        *crystal(["H"], 6, size=2.0),
        *(
            label("HH", [[0, 0, 0], [d, 0, 0]], np.zeros((3, 3)), False)
            for d in (1.8, 2.0, 2.2, 3.0)
        ),
    ],
    "isolated atoms only": lambda: [label(["Ar"], [[0, 0, 0]], np.zeros((3, 3)), False)] * 3,
    "isolated atom among crystals": lambda: (
        [*crystal(["Si"], 6), label(["Si"], [[0, 0, 0]], np.zeros((3, 3)), False)]
    ),
    "an element only as an isolated atom": lambda: (
        [*crystal(["Si"], 6), label(["O"], [[0, 0, 0]], np.zeros((3, 3)), False)]
    ),
    "an element in one frame": lambda: crystal(["Si"], 8) + crystal(["Si", "Ge"], 1),
    "dimers": lambda: [
        label("NN", [[0, 0, 0], [d, 0, 0]], np.zeros((3, 3)), False) for d in (1.0, 1.2, 1.5, 2.0)
    ],
    "cell smaller than the cutoff": lambda: [
        label(["Al"], [[0, 0, 0]], a * CUBE) for a in (2.5, 2.6, 2.7, 2.8)
    ],
    "perfect crystals, no force anywhere": lambda: [
        label(["Cu"], [[0, 0, 0]], a * CUBE) for a in (2.5, 2.55, 2.6, 2.7)
    ],
    "equal frames": lambda: crystal(["Si"], 1) * 6,
    "no forces": lambda: [replace(f, forces=None) for f in crystal(["Si"], 8)],
    "no energies": lambda: [replace(f, energy=None) for f in crystal(["Si"], 8)],
    "some forces": lambda: (
        [replace(f, forces=None) for f in crystal(["Si"], 4)] + crystal(["Si"], 4, seed=1)
    ),
    "molecules and crystals": lambda: molecules(5) + crystal(["O", "H"], 5),
}


@pytest.mark.parametrize("name", SETS)
def test_any_material_gives_a_finite_potential(name, tmp_path):
    frames = SETS[name]()
    settings = replace(automatic_settings(frames), epochs=3, threads=1)

    result = train(settings, frames, tmp_path)

    assert result.frames_training + result.frames_validation == len(frames)
    evaluator = Evaluator(load_potential(result.potential), threads=1)
    for frame in frames:
        said = evaluator.compute(frame.numbers, frame.positions, frame.cell, frame.pbc)
        assert math.isfinite(said.energy)
        assert np.isfinite(said.forces).all()
        if frame.energy is not None:
            # Three epochs don't fit much, but the baseline alone must be near.
            assert abs(said.energy - frame.energy) / len(frame) < 2.0
    for group in (result.training, *result.by_kind):
        for value in (group.energy_rmse, group.force_rmse):
            assert value is None or math.isfinite(value)


def test_every_element_is_learned_from_even_when_one_frame_has_it(tmp_path):
    frames = crystal(["Si"], 11) + crystal(["Si", "Ge"], 1)
    for seed in range(5):
        settings = replace(automatic_settings(frames), epochs=1, seed=seed, threads=1)
        result = train(settings, frames, tmp_path / str(seed))
        assert 11 not in result.validation_indices


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([], "no frames"),
        ([replace(f, energy=None, forces=None) for f in crystal(["Si"], 2)], "no energy"),
        ([replace(f, label_source="ml") for f in crystal(["Si"], 2)], "another potential"),
        ([replace(f, forces=1e4 * f.forces) for f in crystal(["Si"], 2)], "force too large"),
        ([replace(f, energy=math.nan) for f in crystal(["Si"], 2)], "not finite"),
    ],
)
def test_a_set_without_a_usable_frame_is_refused_with_the_reason(frames, words, tmp_path):
    with pytest.raises(InvalidInput, match=words):
        train(automatic_settings(frames), frames, tmp_path)
