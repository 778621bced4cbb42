"""Selections mean the same frames for ever; filters choose what they say."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.http import QueryDict

from datasets.filters import FrameFilters, parse_elements
from datasets.models import Frame
from datasets.selections import Selection
from datasets.services import dataset_publish, frames_insert
from labs.exceptions import Refused
from mlmd.frame import Calculation
from tests.datasets.factories import make_dataset, make_frame, make_version

OTHER = Calculation(code="vasp", functional="SCAN", cutoff_energy=520.0)


@pytest.fixture
def frames(owner, lab):
    made = [
        make_frame(0, (14, 14)),
        make_frame(1, (14, 8, 8), kind="glass"),
        make_frame(2, (14, 8, 1), kind="hydrated", scf_converged=False),
        make_frame(3, (3, 8), calculation=OTHER, scf_converged=None),
        make_frame(4, (1,), forces=None, energy=None, label_source="ml"),
    ]
    make_dataset(owner, lab, frames=made)
    return Frame.objects.all()


def steps(filters: FrameFilters, frames) -> list[int]:
    return list(filters.apply(frames).order_by("pk").values_list("ionic_step", flat=True))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("elements=Si&elements=O", [1, 2]),
        ("elements=Si,O&mode=all", [1, 2]),
        ("elements=Li+H&mode=any", [2, 3, 4]),
        ("elements=Si-O&mode=only", [0, 1]),
        ("elements=U", []),
        ("formula=O2Si", [1]),
        ("atoms_min=2&atoms_max=2", [0, 3]),
        ("functional=SCAN", [3]),
        ("code=espresso&kind=glass&kind=hydrated", [1, 2]),
        ("converged=yes", [0, 1, 4]),
        ("converged=no", [2]),
        ("converged=unknown", [3]),
        ("label_source=ml", [4]),
        ("force_min=0", [0, 1, 2, 3]),
        ("force_max=0", []),
        ("energy_max=0", [0, 1, 2, 3]),
    ],
)
def test_filters_choose_what_they_say(frames, query, expected):
    filters = FrameFilters.from_query(QueryDict(query))
    assert steps(filters, frames) == expected
    again = FrameFilters.from_query(QueryDict(filters.to_query()))
    assert again == filters
    assert FrameFilters.from_json(filters.to_json()) == filters
    assert bool(filters) == bool(query)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("elements=Xx", "isn't a chemical symbol"),
        ("mode=some", "expected one of all, any, only"),
        ("atoms_min=1.5", "isn't a number"),
        ("force_max=nan", "isn't a number"),
        ("energy_min=1e999", "isn't a number"),
        ("atoms_max=99999999999999999999999", "isn't a number"),
        ("converged=maybe", "expected one of yes, no, unknown"),
    ],
)
def test_filters_say_what_is_wrong_with_them(db, query, words):
    with pytest.raises(Refused, match=words):
        FrameFilters.from_query(QueryDict(query))


def test_duplicates_are_found_by_their_identity(owner, lab, frames):
    make_dataset(owner, lab, frames=[make_frame(0, (14, 14))])
    twin = Frame.objects.filter(ionic_step=0).first()
    assert steps(FrameFilters(identity=twin.structure_hash), Frame.objects.all()) == [0, 0]


def test_elements_are_read_from_text_in_any_form():
    assert parse_elements("si,O |Li|") == ("Li", "O", "Si")
    assert parse_elements(["O", "O"]) == ("O",)


def test_a_selection_gives_the_exact_frames_of_its_versions_once(owner, lab):
    one = make_version(owner, lab)
    frames_insert(dataset=one.dataset, actor=owner, frames=[make_frame(9, (8, 8, 8))])
    two = dataset_publish(dataset=one.dataset, actor=owner)
    other = make_version(owner, lab, frames=[make_frame(20)])
    selection = Selection((one.public_id, two.public_id, other.public_id))
    read = list(selection.frames(owner))
    assert [frame.ionic_step for frame in read] == [0, 1, 2, 9, 20]
    expected = make_frame(9, (8, 8, 8))
    assert read[3].forces.tobytes() == expected.forces.tobytes()
    assert read[3].calculation == expected.calculation
    assert selection.count(owner) == 5
    assert "5 frames" in selection.describe(owner)
    only = Selection((two.public_id,), FrameFilters(elements=("O",), mode="only"))
    assert only.count(owner) == 1
    assert only.checksum(owner) != selection.checksum(owner)
    assert Selection.from_json(only.to_json()) == only


def test_a_selection_keeps_its_checksum_when_the_dataset_goes_on(owner, lab):
    version = make_version(owner, lab)
    selection = Selection((version.public_id,))
    before = selection.checksum(owner)
    frames_insert(dataset=version.dataset, actor=owner, frames=[make_frame(50)])
    assert selection.checksum(owner) == before == version.checksum


def test_a_selection_refuses_drafts_strangers_and_nothing(owner, lab, stranger):
    draft = make_dataset(owner, lab).versions.get()
    version = make_version(owner, lab)
    with pytest.raises(Refused, match="is a draft"):
        Selection((draft.public_id,)).count(owner)
    with pytest.raises(Refused, match="isn't visible"):
        Selection((version.public_id,)).count(stranger)
    with pytest.raises(Refused, match="doesn't exist"):
        Selection((uuid4(),)).count(owner)
    with pytest.raises(Refused, match="No dataset version"):
        Selection(()).count(owner)
    with pytest.raises(Refused, match="isn't a UUID"):
        Selection.from_json({"versions": ["x"]})
    with pytest.raises(Refused, match="is no filter"):
        Selection.from_json({"versions": [], "filters": {"sql": "1=1"}})


def test_mixed_levels_of_theory_are_named(owner, lab):
    version = make_version(owner, lab, frames=[make_frame(0), make_frame(1, calculation=OTHER)])
    assert Selection((version.public_id,)).levels_of_theory(owner) == [
        "espresso / PBE / 400 eV",
        "vasp / SCAN / 520 eV",
    ]
