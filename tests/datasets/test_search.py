"""Everything that can be asked of the catalog, facets with counts, and searches by name."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta

import numpy as np
import pytest
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from datasets.api.frames import FILTERS
from datasets.catalog import FACETS, catalog_query, facets
from datasets.filters import FrameFilters
from datasets.frame_forms import FrameFilterForm
from datasets.models import Dataset, Frame, SavedSearch
from labs.exceptions import Refused
from mlmd.frame import Calculation
from tests.datasets.factories import LEVEL, make_dataset, make_frame

D3_U = Calculation(
    code="vasp",
    functional="PBE",
    dispersion="D3(BJ)",
    cutoff_energy=520.0,
    spin="collinear",
    hubbard_u={"Fe": 4.0},
    k_points=(2, 2, 2),
    source_name="hematite.xml",
    settings={"IBRION": 0, "NSW": 10},
)


@pytest.fixture
def frames(owner, lab):
    """Three frames: Si at rest, Si pressed, Fe with D3 and U."""
    static = replace(LEVEL, settings={"calculation": "scf"})
    press = np.eye(3) * -0.05
    near = np.array([[0.0, 0, 0], [1.0, 0, 0]])
    far = np.array([[0.0, 0, 0], [2.4, 0, 0]])
    made = [
        make_frame(0, energy=-10.0, stress=None, positions=far, calculation=static),
        make_frame(1, energy=-8.0, stress=press, positions=near, calculation=static),
        make_frame(2, (26, 26), stress=press, positions=far, kind="oxide", calculation=D3_U),
    ]
    dataset = make_dataset(owner, lab, frames=made, name="Mixed bag")
    Dataset.objects.filter(pk=dataset.pk).update(licence="CC-BY-4.0")
    return Frame.objects.filter(dataset=dataset)


TODAY = timezone.localdate()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("dispersion=D3(BJ)", [2]),
        ("dispersion=none", [0, 1]),
        ("dispersion=none&dispersion=D3(BJ)", [0, 1, 2]),
        ("hubbard=yes", [2]),
        ("hubbard=no", [0, 1]),
        ("cutoff_min=500", [2]),
        ("cutoff_max=500", [0, 1]),
        ("k_spacing_max=1", [2]),
        ("k_spacing_min=1", []),
        ("spin=collinear", [2]),
        ("above_min=0.5", [1]),
        ("above_max=0.5", [0, 2]),
        ("pressure_min=8", [1, 2]),
        ("pressure_max=8", []),
        ("stress=no", [0]),
        ("stress=yes", [1, 2]),
        ("distance_min=2", [0, 2]),
        ("distance_max=2", [1]),
        ("run_type=md", [2]),
        ("run_type=static", [0, 1]),
        ("licence=CC-BY-4.0", [0, 1, 2]),
        ("licence=none", []),
        (f"since={TODAY - timedelta(days=2)}", [0, 1, 2]),
        (f"since={TODAY + timedelta(days=2)}", []),
        (f"until={TODAY - timedelta(days=2)}", []),
        ("q=mixed", [0, 1, 2]),
        ("q=hematite", [2]),
        ("q=oxide+bag", [2]),
        ("q=oxide+nowhere", []),
        ("q=Si2", [0, 1]),
    ],
)
def test_each_filter_finds_its_frames(frames, query, expected):
    filters = FrameFilters.from_query(QueryDict(query))
    assert sorted(filters.apply(frames).values_list("ionic_step", flat=True)) == expected
    assert FrameFilters.from_json(filters.to_json()) == filters
    assert FrameFilters.from_query(QueryDict(filters.to_query())) == filters
    assert len(filters.describe()) == len(query.split("&"))


@pytest.mark.parametrize("query", ["hubbard=maybe", "stress=1", "since=yesterday", "split=half"])
def test_nonsense_is_refused_in_words(db, query):
    with pytest.raises(Refused, match="expected"):
        FrameFilters.from_query(QueryDict(query))


def test_a_lab_is_asked_for_by_name(frames, lab):
    assert FrameFilters(lab=(lab.name,)).apply(frames).count() == 3
    assert FrameFilters(lab=("Elsewhere",)).apply(frames).count() == 0


def test_the_api_and_the_form_offer_every_filter():
    known = {field.name for field in fields(FrameFilters)}
    assert known <= {parameter.name for parameter in FILTERS}
    # Elements have their periodic table.
    assert known - {"elements"} <= set(FrameFilterForm.base_fields)


def test_facets_count_every_word(frames, lab, owner):
    found = facets(catalog_query(owner, QueryDict()).rows(owner))
    counts = {name: {g.name: g.frames for g in groups} for name, groups in found.items()}
    assert set(counts) == set(FACETS)
    assert counts["dispersion"] == {"none": 2, "D3(BJ)": 1}
    assert counts["run_type"] == {"static": 2, "md": 1}
    assert counts["licence"] == {"CC-BY-4.0": 3}
    assert counts["lab"] == {lab.name: 3}
    assert counts["kind"] == {"liquid": 2, "oxide": 1}


def test_the_page_and_the_api_show_facets(page, frames):
    text = page.get(reverse("datasets:frames") + "?dispersion=none").content.decode()
    assert "no dispersion correction" in text
    assert "2 frames" in text
    found = page.get(reverse("api:frame-facets") + "?spin=collinear").json()
    assert found["functional"] == {"PBE": 1}


def test_a_search_is_saved_shared_and_deleted(page, client, owner, lab, guest, frames):
    url = reverse("datasets:search-save")
    sent = {"name": "Pressed", "query": "page=3&stress=yes&kind=&q=", "visibility": "lab"}
    answer = page.post(url, sent)
    search = SavedSearch.objects.get()
    assert search.query == "stress=yes"
    assert answer["Location"] == search.get_absolute_url()
    text = page.get(answer["Location"]).content.decode()
    assert "Pressed" in text
    assert "2 frames" in text
    twice = page.post(url, sent, follow=True).content.decode()
    assert "already; choose another name" in twice
    for query, words in (("", "no filter to save"), ("energy_min=x", "a number")):
        refused = page.post(url, {"name": "x", "query": query}, follow=True).content.decode()
        assert words in refused
    client.force_login(guest)
    assert "Pressed" in client.get(reverse("datasets:frames")).content.decode()
    remove = reverse("datasets:search-delete", args=[search.public_id])
    assert client.post(remove).status_code == 403
    client.force_login(owner)
    client.post(remove)
    assert not SavedSearch.objects.exists()


def test_the_api_saves_searches(page):
    url = reverse("api:saved-search-list")
    sent = {"name": "Iron", "query": "elements=Fe"}
    assert page.post(url, sent, content_type="application/json").status_code == 201
    assert [row["name"] for row in page.get(url).json()["results"]] == ["Iron"]
    wrong = page.post(url, {"name": "x", "query": "elements=Xx"}, content_type="application/json")
    assert wrong.status_code == 400
