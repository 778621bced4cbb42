"""What is said of the data before a training starts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from datasets.selections import Selection
from mlmd.hdnnp.training import TrainingSettings
from potentials.data_facts import data_facts
from potentials.estimates import training_plan
from potentials.families import FAMILIES
from tests.potentials.factories import labelled_frames, make_version

pytestmark = pytest.mark.django_db


def germanium(frame, count):
    numbers = frame.numbers.copy()
    numbers[:count] = 32
    return replace(frame, numbers=numbers)


def warnings_of(owner, lab, frames):
    selection = Selection((make_version(owner, lab, frames=frames).public_id,))
    plan = training_plan(
        user=owner, selection=selection, family=FAMILIES["hdnnp"],
        settings=TrainingSettings(), threads=1,
    )  # fmt: skip
    return " | ".join(plan.warnings)


def test_a_good_set_is_told_nothing(owner, lab):
    assert warnings_of(owner, lab, labelled_frames(60)) == ""


def test_elements_are_counted_in_frames_and_atoms(owner, lab):
    frames = labelled_frames(9)
    frames = [germanium(frames[0], 3), germanium(frames[1], 8), *frames[2:]]
    version = make_version(owner, lab, frames=frames)
    facts = data_facts(Selection((version.public_id,)), owner)
    assert facts.frames_with == {"Si": 8, "Ge": 2}
    assert facts.atoms_of == {"Si": 61, "Ge": 11}
    assert facts.without_forces == 0


def test_an_element_that_few_frames_have_is_named(owner, lab):
    frames = labelled_frames(60)
    words = warnings_of(owner, lab, [germanium(frames[0], 2), *frames[1:]])
    assert "Ge is in 1 frame only, with 2 atoms" in words
    assert "Si is in" not in words


def test_positions_in_another_unit_are_suspected(owner, lab):
    for factor, unit in ((1 / 0.529177, "bohr"), (0.1, "nm")):
        frames = [
            replace(f, positions=factor * f.positions, cell=factor * f.cell)
            for f in labelled_frames(60, seed=int(10 * factor))
        ]
        assert f"may be in {unit}" in warnings_of(owner, lab, frames)


def test_frames_without_forces_and_of_several_methods_are_told(owner, lab):
    frames = [replace(f, forces=None) for f in labelled_frames(60)]
    assert "No frame has forces" in warnings_of(owner, lab, frames)
    other = [
        replace(f, calculation=replace(f.calculation, functional="PBE"))
        for f in labelled_frames(30)
    ]
    mixed = [*labelled_frames(30, seed=1), *other]
    assert "2 different ways" in warnings_of(owner, lab, mixed)
