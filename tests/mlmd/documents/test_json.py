"""The quick JSON of a frame says what its document says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mlmd.documents import calculation_to_json, frame_to_document, frame_to_json
from mlmd.frame import Calculation, Frame


def frame(**changes):
    values = {
        "numbers": np.array([8, 14], np.uint8),
        "positions": np.array([[0.0, 1e-7, -3.25], [1.1, 2.0, 1e16]]),
        "cell": np.eye(3) * 5,
        "energy": -3.5,
        "forces": np.array([[0.1, -0.2, 0.0], [-0.1, 0.2, 0.0]]),
        "fixed": np.array([[True, False, False], [False, False, False]]),
        "kind": "“odd” \\ kind\n",
        "calculation": Calculation(code="vasp", functional="PBE", k_points=(1, 2, 3)),
    }
    return Frame(**{**values, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"forces": None, "energy": None},
        {"stress": np.eye(3) * 0.1, "magnetic_moments": np.array([1.0, 2.0])},
    ],
)
def test_json_equals_the_document(changes):
    made = frame(**changes)
    assert json.loads(frame_to_json(made)) == frame_to_document(made)
    assert "\n" not in frame_to_json(made)


def test_calculations_of_neighbours_are_not_mixed_up():
    one, other = Calculation(code="vasp"), Calculation(code="espresso")
    codes = [json.loads(calculation_to_json(c))["code"] for c in (one, one, other, one)]
    assert codes == ["vasp", "vasp", "espresso", "vasp"]


@pytest.mark.parametrize("column", ["positions", "forces", "energy"])
def test_what_json_cannot_say_is_an_error(column):
    bad = np.nan if column == "energy" else np.full((2, 3), np.inf)
    with pytest.raises(ValueError, match=r"finite|JSON"):
        frame_to_json(frame(**{column: bad}))
