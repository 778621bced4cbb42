"""What n2p2's programs write, as they wrote it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlmd.errors import InvalidInput
from mlmd.n2p2 import read_learning_curve
from mlmd.n2p2.outputs import N2P2, extrapolations


@pytest.mark.parametrize(
    ("name", "last_energy", "last_force"),
    [
        ("LJ.np1", 1.70594742e-03, 3.77302629e-02),
        ("Cu2S_PBE.np1", None, None),
        ("H2O_RPBE-D3.np4", None, None),
    ],
)
def test_recorded_curves_are_read_by_their_names(
    shared_reference: Path, name: str, last_energy: float | None, last_force: float | None
) -> None:
    path = shared_reference / "n2p2" / "training" / name / "learning-curve.out"
    curve = read_learning_curve(path)
    assert curve.epoch.tolist() == list(range(11))
    assert np.isfinite([curve.energy_test, curve.force_train, curve.force_test]).all()
    # The last rows of what nnp-train printed meanwhile, with fewer digits, in the same units.
    printed = (path.parent / "epochs.txt").read_text().splitlines()
    for kind, values in (("ENERGY", curve.energy_train), ("FORCE", curve.force_train)):
        words = [line.split() for line in printed if line.startswith(kind)][-1]
        assert values[-1] == pytest.approx(float(words[3]), rel=1e-5)
    if last_energy is not None:
        assert curve.energy_train[-1] == last_energy
        assert curve.force_train[-1] == last_force


def test_a_curve_that_is_being_written_is_read_to_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "learning-curve.out"
    path.write_text(
        "# Col  Name  Description\n# 1    epoch  Current epoch.\n"
        "#    epoch RMSEpa_Etrain_pu RMSE_Ftrain_pu\n"
        "   0 1.0E-01 2.0E-01\n   1 5.0E-02 1.0E-01\n   2 4.0E-"
    )
    curve = read_learning_curve(path)
    assert curve.energy_train.tolist() == [0.1, 0.05]
    assert np.isnan(curve.force_test).all()


def test_something_else_is_no_curve(tmp_path: Path) -> None:
    path = tmp_path / "learning-curve.out"
    path.write_text("hello\n")
    with pytest.raises(InvalidInput, match="names the columns"):
        read_learning_curve(path)


def test_extrapolation_warnings_are_numbers() -> None:
    text = (
        "### NNP EXTRAPOLATION WARNING ### STRUCTURE:      4 ATOM:        17 ELEMENT: Cu "
        "SYMFUNC:   12 TYPE:  9 VALUE:  1.234E-02 MIN:  0.000E+00 MAX:  1.100E-02\n"
    )
    (found,) = extrapolations(text)
    assert (found.structure, found.atom, found.element, found.function) == (4, 17, "Cu", 12)
    assert (found.value, found.low, found.high) == (0.01234, 0.0, 0.011)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('terminate called\n  what():  ERROR: Could not open file: "input.nn".\n', "input.nn is"),
        ("WARNING: 2 problems\nERROR: 1 critical problem(s) were found in settings file.", "input"),
        ("what():  std::bad_alloc", "not enough memory"),
        ("There are not enough slots available in the system", "fewer free cores"),
        ("slurmstepd: error: *** JOB 4 CANCELLED DUE TO TIME LIMIT ***", "time limit"),
        ("a line\nsomething new went wrong\n*****", "Last line: something new went wrong"),
    ],
)
def test_complaints_are_put_in_words(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(text)
    error = N2P2.failure("nnp-train", [tmp_path / "log"], 134)
    assert str(error).startswith("nnp-train: ")
    assert words in str(error)
