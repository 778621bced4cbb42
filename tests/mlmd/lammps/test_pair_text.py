"""Pair lines that people write: what a deck takes, and what it must never take."""

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st

from mlmd.errors import InvalidInput
from mlmd.lammps import LammpsSpec, finish, prepare, read_pair_lines
from mlmd.lammps.words import explain
from mlmd.md import Ensemble, MDSettings, RunStatus, Stage, StageKind
from tests.mlmd.lammps.conftest import STILLINGER_WEBER

LENNARD_JONES = """
# elements: Ar Kr
# cutoff: 8.5
pair_style lj/cut 8.5   # two noble gases
pair_coeff 1 1 0.0104 3.40
pair_coeff 2 2 0.0140 3.65
pair_coeff 1 2 0.0121 3.52
pair_modify shift yes
"""


def test_lines_say_style_elements_cutoff_and_files():
    found = read_pair_lines("pair_style sw\npair_coeff * * Si.sw Si\n", ["Si.sw"])
    assert (found.name, found.elements, found.files) == ("sw", ("Si",), ("Si.sw",))
    found = read_pair_lines(LENNARD_JONES)
    assert (found.name, found.elements, found.cutoff) == ("lj/cut", ("Ar", "Kr"), 8.5)
    assert read_pair_lines(found.text) == found
    hybrid = read_pair_lines(
        "pair_style hybrid/overlay eam/alloy zbl 1.0 2.0\n"
        "pair_coeff * * eam/alloy AlCu.eam.alloy Al Cu\npair_coeff 1 2 zbl 13 29\n",
        elements=("Al", "Cu"),
    )
    assert hybrid.files == ("AlCu.eam.alloy",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shell rm -rf x", "shell"),
        ("pair_style sw\ninclude other", "include"),
        ("pair_style sw\npair_coeff * * /etc/passwd Si", "a path"),
        ("pair_style sw\npair_coeff * * ../Si.sw Si", "a path"),
        ("pair_style sw\npair_coeff * * a/../b Si", "a path"),
        ("pair_style sw &\npair_coeff * * Si.sw Si", "“&”"),
        ("pair_style sw\npair_coeff * * ${x} Si", "letters, digits"),
        ("pair_style sw\npair_coeff * * $(v_x) Si", "letters, digits"),
        ('pair_style sw\npair_coeff * * "a b" Si', "letters, digits"),
        ("pair_style python 5.0\npair_coeff * * py.Class Si", "style python"),
        ("pair_style hybrid mliap/kk sw\npair_coeff * * Si.sw Si", "style mliap/kk"),
        ("pair_coeff * * Si.sw Si\npair_style sw", "in the first line"),
        ("pair_style sw", "no pair_coeff"),
        ("pair_style lj/cut 5\npair_coeff * * 1 1", "says the elements"),
        ("# elements: Si Si\npair_style lj/cut 5\npair_coeff * * 1 1", "each once"),
        ("# elements: Qq\npair_style lj/cut 5\npair_coeff * * 1 1", "Qq"),
        ("# cutoff: far\npair_style sw\npair_coeff * * Si.sw Si", "a cutoff of far"),
        ("pair_style sw\npair_coeff * * Ge.sw Si", "Ge.sw, which isn't there"),
    ],
)
def test_what_could_do_more_than_name_a_potential_is_refused(text, said):
    with pytest.raises(InvalidInput, match=said.replace("(", "\\(")):
        read_pair_lines(text, ["Si.sw"])


@given(st.text(max_size=200))
def test_no_text_gets_past_the_three_commands(text):
    try:
        found = read_pair_lines("pair_style sw\npair_coeff * * Si.sw Si\n" + text)
    except InvalidInput:
        return
    for line in found.lines:
        assert line.split()[0] in {"pair_style", "pair_coeff", "pair_modify"}
        assert not set(line) & set("$&\"'`;|<>(){}\n\\")


def test_types_of_the_lines_stay_when_the_structure_lacks_some(tmp_path, lmp):
    atoms = bulk("Kr", "fcc", a=5.7, cubic=True).repeat(4)
    style = read_pair_lines(LENNARD_JONES).style
    stage = Stage(200, StageKind.HOLD, Ensemble.NVE, 30.0)
    launch = prepare(LammpsSpec(MDSettings(stages=(stage,)), atoms, style), tmp_path)
    data = (tmp_path / "structure.data").read_text()
    assert "2 atom types" in data
    assert "1 39.948" in data  # argon's mass, although there is none
    assert lmp(tmp_path, *launch.commands[0].argv[1:]).returncode == 0
    result = finish(tmp_path)
    assert result.status is RunStatus.FINISHED
    assert abs(result.stages[0].energy_drift) < 0.05
    assert np.isfinite(result.stages[0].pressure)


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (
            "ERROR: Unrecognized pair style 'hdnnp' is part of the ML-HDNNP package which is not "
            "enabled in this LAMMPS binary.",
            "without the package ML-HDNNP, which has the pair style hdnnp",
        ),
        ("ERROR: Unrecognized pair style 'aenet' (src/force.cpp:279)", "no pair style aenet"),
        ("ERROR: Lost atoms: original 8 current 7", "they fly apart"),
        ("ERROR on proc 0: Too many extrapolation warnings", "than maxew allows"),
        ("ERROR on proc 0: Cannot open sw potential file Ge.sw: No such file", "opened: Ge.sw"),
        ("ERROR: All pair coeffs are not set", "has no coefficients"),
        ("ERROR: something new", "LAMMPS gave up: ERROR: something new"),
    ],
)
def test_lines_by_which_lammps_gives_up_are_explained(error, meaning):
    found, advice = explain(error)
    assert meaning in found
    assert error[:60] in found
    assert advice


def test_a_missing_file_is_said_in_words(tmp_path, lmp, silicon, pair_style):
    stage = Stage(10, StageKind.HOLD, Ensemble.NVE, 100.0)
    settings = MDSettings(stages=(stage,))
    launch = prepare(LammpsSpec(settings, silicon, pair_style, {}), tmp_path)
    lmp(tmp_path, *launch.commands[0].argv[1:])
    with pytest.raises(InvalidInput, match=r"can't be opened: Si\.sw"):
        finish(tmp_path)
    prepare(LammpsSpec(settings, silicon, pair_style, {"Si.sw": STILLINGER_WEBER}), tmp_path)
    (tmp_path / "log.lammps").unlink()
    assert lmp(tmp_path, *launch.commands[0].argv[1:]).returncode == 0
    assert finish(tmp_path).status is RunStatus.FINISHED
