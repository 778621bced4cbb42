"""Sets of structures: made in one go, shown by kind, computed together."""

from __future__ import annotations

import json

import numpy as np
import pytest
from django.urls import reverse

from datasets.dft.forms import DftForm
from datasets.models import Structure, StructureSet
from datasets.services import (
    structure_set_from_crystal,
    structure_set_from_dataset,
    structure_set_update,
)
from datasets.services.structures import structure_atoms
from labs.exceptions import PermissionDenied, Refused
from mlmd.structure.initial_set import InitialSetSettings
from tests.datasets.factories import (
    filled,
    make_dataset,
    make_frames,
    make_structure,
    make_structure_set,
)
from tests.potentials.factories import make_potential


def test_an_initial_set_is_made_by_one_click_and_shown_by_kind(page, owner, lab) -> None:
    crystal = make_structure(owner, lab)
    address = reverse("datasets:structure-set-new", args=[crystal.public_id])
    form = page.get(address).context["form"]
    fields = filled(form)
    fields |= {"set-rattles": 4, "set-strains": 2, "set-vacancies": 1, "set-dimers": 3}
    answer = page.post(address, fields)
    assert answer.status_code == 302, answer.content.decode()
    made = StructureSet.objects.get()
    assert made.size == made.members.count() == 11 + 2 + 4 + 1 + 1 + 3
    assert made.recipe["settings"]["rattles"] == 4
    shown = page.get(answer.url).content.decode()
    assert "Compute all 22 with DFT" in shown
    only = page.get(answer.url, {"kind": "dimer"}).content.decode()
    assert only.count("Si–Si") == 3
    assert "strain 1" not in only
    listed = page.get(reverse("datasets:structures")).content.decode()
    assert made.name in listed
    assert "strain 1" not in listed
    refused = page.post(address, {**fields, "set-rattles": 5000})
    assert refused.status_code == 422


def test_the_frames_of_a_dataset_become_structures_without_labels(owner, lab) -> None:
    frames = make_frames(3)
    dataset = make_dataset(owner, lab, frames=frames)
    made = structure_set_from_dataset(owner=owner, lab=lab, dataset=dataset)
    rows = list(made.members.order_by("pk"))
    assert [row.recipe for row in rows] == [{"kind": "liquid"}] * 3
    for row, frame in zip(rows, frames, strict=True):
        atoms = structure_atoms(row)
        np.testing.assert_array_equal(atoms.positions, frame.positions)
        assert atoms.calc is None
    empty = make_dataset(owner, lab, frames=[])
    with pytest.raises(Refused, match="has 0 frames"):
        structure_set_from_dataset(owner=owner, lab=lab, dataset=empty)


def test_a_datasets_page_offers_to_compute_its_frames_again(page, owner, lab) -> None:
    dataset = make_dataset(owner, lab)
    shown = page.get(reverse("datasets:detail", args=[dataset.public_id])).content.decode()
    address = reverse("datasets:frames-structures", args=[dataset.public_id])
    assert f'action="{address}"' in shown
    answer = page.post(address)
    assert "Compute all 3 with DFT" in page.get(answer.url).content.decode()


def test_a_set_is_computed_as_a_whole_with_the_kinds_of_its_members(page, owner, lab) -> None:
    made = make_structure_set(owner, lab)
    shown = page.get(reverse("datasets:dft-new"), {"set": made.public_id})
    form = shown.context["form"]
    fields = filled(form)
    bound = DftForm(fields | {"structure_set": made.public_id}, user=owner)
    bound.fields["cluster"].required = False
    assert bound.is_valid(), bound.errors
    assert [row.name for row in bound.request().structures] == [
        row.name for row in made.members.order_by("pk")
    ]
    bare = DftForm({key: v for key, v in fields.items() if key != "structure_set"}, user=owner)
    assert "structures" in bare.errors


def test_guests_make_none_and_visibility_covers_the_members(owner, guest, lab) -> None:
    crystal = make_structure(owner, lab)
    with pytest.raises(PermissionDenied):
        structure_set_from_crystal(
            owner=guest, lab=lab, parent=crystal, settings=InitialSetSettings()
        )
    made = make_structure_set(owner, lab, "lab")
    structure_set_update(structure_set=made, actor=owner, name=made.name, visibility="private")
    assert set(made.members.values_list("visibility", flat=True)) == {"private"}
    assert not Structure.objects.visible_to(guest).filter(member_of=made).exists()


def test_the_api_makes_shows_and_deletes_a_set(page, owner, lab) -> None:
    crystal = make_structure(owner, lab)
    settings = {"equation_points": 3, "strains": 0, "rattles": 0, "vacancies": 0}
    body = {"structure": str(crystal.public_id), "settings": settings}
    send = {"content_type": "application/json"}
    made = page.post(reverse("api:structure-set-list"), data=json.dumps(body), **send)
    assert made.status_code == 201, made.content
    address = reverse("api:structure-set-detail", args=[made.json()["public_id"]])
    assert len(page.get(address).json()["structures"]) == made.json()["size"] == 3 + 10 + 1
    listed = page.get(reverse("api:structure-set-list")).json()
    assert listed["results"][0]["structures"] == []
    wrong = page.post(reverse("api:structure-set-list"), data="{}", **send)
    assert wrong.status_code == 400
    assert page.delete(address).status_code == 204
    assert Structure.objects.filter(origin="set").count() == 0


def test_members_of_a_set_do_not_crowd_other_forms(page, owner, lab) -> None:
    make_potential(owner, lab)  # without one the form of MD isn't shown
    made = make_structure_set(owner, lab)
    member = made.members.first()
    for address in ("potentials:simulate", "datasets:dft-new"):
        offered = page.get(reverse(address)).content.decode()
        assert f'value="{made.parent.public_id}"' in offered
        assert f'value="{member.public_id}"' not in offered
        asked = page.get(reverse(address), {"structure": member.public_id}).content.decode()
        assert f'value="{member.public_id}" selected' in asked
