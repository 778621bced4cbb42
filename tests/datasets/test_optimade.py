"""The OPTIMADE API: who sees what, pages, errors, and what is said of the properties."""

from __future__ import annotations

import html
import importlib
import re
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone

from datasets.credits import Author
from datasets.models import Composition, Dataset, Frame
from datasets.optimade.definitions import definitions
from datasets.optimade.doors import VisitorThrottle
from datasets.optimade.properties import PROPERTIES
from datasets.services import (
    dataset_publish,
    dataset_update,
    dataset_withdraw,
    frames_exclude,
    frames_insert,
    version_withdraw,
)
from datasets.services.planner import planner_refresh
from datasets.splits import SplitRequest
from tests.datasets.factories import make_dataset, make_exchange, make_frame, make_version

BASE = "/optimade/v1"
PAGE = f"{BASE}/structures"


@pytest.fixture(autouse=True)
def _fresh_limits() -> None:
    cache.clear()


def shown(client: Client, **query: Any) -> dict[str, dict[str, Any]]:
    """Return all entries by id, page by page."""
    answer = client.get(PAGE, query).json()
    found = {entry["id"]: entry["attributes"] for entry in answer["data"]}
    while answer["links"]["next"]:
        answer = client.get(answer["links"]["next"]).json()
        assert not found.keys() & {entry["id"] for entry in answer["data"]}
        found |= {entry["id"]: entry["attributes"] for entry in answer["data"]}
    assert not answer["meta"]["more_data_available"]
    return found


def ids(frames: Any) -> set[str]:
    return {str(public_id) for public_id in frames.values_list("public_id", flat=True)}


def test_only_published_frames_of_public_datasets_are_shown(
    client: Client, owner: Any, lab: Any
) -> None:
    public = make_version(owner, lab, "public")
    for visibility in ("lab", "private"):
        make_version(owner, lab, visibility)
    make_dataset(owner, lab, "public")  # a draft
    expected = ids(Frame.objects.filter(dataset=public.dataset))
    for person in (None, owner):
        if person:
            client.force_login(person)
        assert shown(client).keys() == expected
        for frame in Frame.objects.all():
            data = client.get(f"{PAGE}/{frame.public_id}").json()["data"]
            assert (data is not None) == (str(frame.public_id) in expected)


def test_an_embargo_keeps_frames_from_the_world_until_its_day(
    client: Client, owner: Any, lab: Any
) -> None:
    version = make_version(owner, lab, "public")
    frame = Frame.objects.filter(dataset=version.dataset).first()
    tomorrow = timezone.localdate() + timedelta(days=1)
    for day, open_to_all in ((tomorrow, False), (timezone.localdate(), True)):
        Dataset.objects.filter(pk=version.dataset.pk).update(embargo_until=day)
        assert bool(shown(client)) is open_to_all
        one = client.get(f"{PAGE}/{frame.public_id}").json()["data"]
        assert (one is not None) is open_to_all
        found = shown(client, filter=f'_mlmd_dataset_id="{version.dataset.public_id}"')
        assert bool(found) is open_to_all


def test_entries_say_their_part_of_the_split_and_whom_to_thank(
    client: Client, owner: Any, lab: Any
) -> None:
    authors = (Author("Carberry, Josiah", "0000-0002-1825-0097"), Author("Doe, Jane"))
    dataset = make_dataset(owner, lab, "public", frames=[make_frame(i) for i in range(12)])
    Dataset.objects.filter(pk=dataset.pk).update(authors=[asdict(author) for author in authors])
    dataset.refresh_from_db()
    dataset_publish(dataset=dataset, actor=owner, split=SplitRequest(0.2, 0.3, 1))
    make_version(owner, lab, "public", frames=[make_frame(20)])
    entries = shown(client)
    for frame in Frame.objects.all():
        assert entries[str(frame.public_id)]["_mlmd_split"] == (frame.split or None)
    thanked = [e["_mlmd_authors"] for e in entries.values() if e["_mlmd_split"]]
    assert thanked[0] == ["Carberry, Josiah (https://orcid.org/0000-0002-1825-0097)", "Doe, Jane"]
    tests = shown(client, filter='_mlmd_split="test"')
    assert tests.keys() == ids(Frame.objects.filter(split="test"))
    assert len(shown(client, filter="_mlmd_split IS UNKNOWN")) == 1


def test_the_newest_version_that_is_not_withdrawn_is_shown(
    client: Client, owner: Any, lab: Any
) -> None:
    first = make_version(owner, lab, "public")
    dataset = first.dataset
    before = shown(client)
    frames_insert(dataset=dataset, actor=owner, frames=[make_frame(8)])
    gone = Frame.objects.filter(dataset=dataset).order_by("pk")[:1]
    frames_exclude(dataset=dataset, actor=owner, frames=Frame.objects.filter(pk__in=gone))
    assert shown(client) == before
    second = dataset_publish(dataset=dataset, actor=owner)
    after = shown(client)
    assert after.keys() == ids(Frame.objects.in_version(second))
    assert {a["_mlmd_dataset_version"] for a in after.values()} == {2}
    # The new frame is newer than those that version 1 brought: who harvests finds it.
    newest = max(a["last_modified"] for a in after.values())
    assert [a["_mlmd_ionic_step"] for a in after.values() if a["last_modified"] == newest] == [8]
    version_withdraw(version=second, actor=owner, reason="Wrong.")
    assert shown(client) == before
    dataset_withdraw(dataset=dataset, actor=owner, reason="Wrong.")
    assert shown(client) == {}


def test_a_dataset_that_is_no_longer_public_disappears(
    client: Client, owner: Any, lab: Any
) -> None:
    dataset = make_version(owner, lab, "public").dataset
    assert len(shown(client)) == 3
    dataset_update(
        dataset=dataset,
        actor=owner,
        name=dataset.name,
        description="",
        licence="",
        tags=[],
        visibility="lab",
    )
    assert shown(client) == {}


def test_an_entry_is_the_frame(client: Client, owner: Any, lab: Any) -> None:
    original = make_frame(3, (8, 14, 8))
    version = make_version(owner, lab, "public", frames=[original])
    [frame] = Frame.objects.all()
    entry = client.get(f"{PAGE}/{frame.public_id}").json()["data"]
    found = entry["attributes"]
    assert entry["id"] == str(frame.public_id)
    assert found["cartesian_site_positions"] == original.positions.tolist()
    assert found["lattice_vectors"] == original.cell.tolist()
    assert found["species_at_sites"] == ["O", "Si", "O"]
    assert found["elements_ratios"] == [2 / 3, 1 / 3]
    assert found["chemical_formula_reduced"] == "O2Si"
    assert found["_mlmd_energy"] == original.energy
    assert found["_mlmd_forces"] == original.forces.tolist()
    assert found["_mlmd_stress"] == original.stress.tolist()
    assert found["_mlmd_functional"] == "PBE"
    assert found["_mlmd_dataset_id"] == str(version.dataset.public_id)


def test_a_molecule_has_no_lattice(client: Client, owner: Any, lab: Any) -> None:
    make_exchange(owner, lab)
    [found] = shown(client, filter="nperiodic_dimensions=0").values()
    assert found["dimension_types"] == [0, 0, 0]
    assert found["lattice_vectors"] == [[None] * 3] * 3
    assert found["chemical_formula_descriptive"] == "CH4"


@pytest.mark.parametrize("sort", ["", "nsites", "-nelements,id", "-id"])
def test_pages_give_every_entry_once_and_in_order(
    client: Client, owner: Any, lab: Any, sort: str
) -> None:
    make_exchange(owner, lab)
    query = {"page_limit": 30, "response_fields": "id,nsites,nelements"}
    query |= {"filter": "nsites<9", **({"sort": sort} if sort else {})}
    found = shown(client, **query)
    assert found.keys() == ids(Frame.objects.filter(n_atoms__lt=9))
    order = list(found.items())
    keys = {
        "": lambda e: 0,
        "nsites": lambda e: e[1]["nsites"],
        "-nelements,id": lambda e: (-e[1]["nelements"], e[0]),
        "-id": lambda e: [-ord(c) for c in e[0]],
    }
    assert order == sorted(order, key=keys[sort])


def test_a_page_asks_few_questions_whatever_its_size(
    client: Client, owner: Any, lab: Any, django_assert_max_num_queries: Any
) -> None:
    make_exchange(owner, lab)
    with django_assert_max_num_queries(7):
        answer = client.get(PAGE, {"page_limit": 200, "filter": 'elements HAS "Si"'})
    assert len(answer.json()["data"]) == 200


def test_very_many_fits_are_not_counted(
    client: Client, owner: Any, lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_version(owner, lab, "public")
    monkeypatch.setattr("datasets.optimade.listing.MOST_COUNTED", 2)
    meta = client.get(PAGE, {"filter": "nelements=1", "page_limit": 1}).json()["meta"]
    assert "data_returned" not in meta
    assert meta["more_data_available"]
    assert client.get(PAGE).json()["meta"]["data_returned"] == 3


def test_response_fields_are_given_and_nothing_else(client: Client, owner: Any, lab: Any) -> None:
    make_version(owner, lab, "public")
    fields = "nsites,_mlmd_energy,_other_gap,assemblies"
    answer = client.get(PAGE, {"response_fields": fields, "page_limit": 1}).json()
    [entry] = answer["data"]
    assert entry["attributes"].keys() == set(fields.split(","))
    assert entry["attributes"]["_other_gap"] is None
    [warning] = answer["meta"]["warnings"]
    assert warning["type"] == "warning"
    assert "_other_gap" in warning["detail"]


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        (f"{PAGE}?page_limit=201", 403, "200 entries at most"),
        (f"{PAGE}?page_limit=-1", 400, "page_limit"),
        (f"{PAGE}?page_limit=x", 400, "page_limit"),
        (f"{PAGE}?page_offset=99999999999999999999", 400, "page_offset"),
        (f"{PAGE}?page_above=x", 400, "page_above"),
        (f"{PAGE}?page_above=00000000-0000-4000-8000-000000000000", 400, "no entry"),
        (f"{PAGE}?page_above=00000000-0000-4000-8000-000000000000&sort=id", 400, "leave out sort"),
        (f"{PAGE}?sort=elements", 400, "sort: elements"),
        (f"{PAGE}?response_fields=crazy", 400, "no property crazy"),
        (f"{PAGE}?response_format=xml", 400, "only json"),
        (f"{PAGE}?include=calculations", 400, "include"),
        (f"{PAGE}?dimension_slices=dim_sites[0:1:1]", 501, "dimension_slices"),
        (f"{PAGE}?crazy=1", 400, "no parameter crazy"),
        (f"{PAGE}?_mlmd_crazy=1", 400, "no parameter _mlmd_crazy"),
        (f"{BASE}/info?filter=nsites=1", 400, "no parameter filter"),
        (f"{BASE}/info/references", 404, "no endpoint"),
        (f"{BASE}/versions", 404, "no endpoint"),
        (f"{BASE}/calculations", 404, "no endpoint"),
        ("/optimade/v0/structures", 553, "v1 is"),
        ("/optimade/v1.3/structures", 553, "v1 is"),
    ],
)
@pytest.mark.django_db
def test_what_is_wrong_with_an_address_is_said(
    client: Client, address: str, status: int, words: str
) -> None:
    answer = client.get(address)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/vnd.api+json"
    content = answer.json()
    assert "data" not in content
    assert content["errors"][0]["status"] == str(status)
    assert words in content["errors"][0]["detail"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query", ["api_hint=v1", "email_address=a@x.example", "_other_x=1", "include=", "filter="]
)
def test_parameters_of_the_standard_and_of_others_are_accepted(client: Client, query: str) -> None:
    assert client.get(f"{PAGE}?{query}").status_code == 200
    assert client.get(f"{PAGE}/x?{query}&unheard=1").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("identifier", ["x", "00000000-0000-4000-8000-000000000000", "a/b", "ガ"])
def test_an_unknown_identifier_has_no_data(client: Client, identifier: str) -> None:
    answer = client.get(f"{PAGE}/{identifier}")
    assert answer.status_code == 200
    assert answer.json()["data"] is None


@pytest.mark.django_db
@pytest.mark.parametrize("base", ["", "/v1", "/v1.2", "/v1.2.0"])
def test_each_address_of_the_version_serves_the_same(client: Client, base: str) -> None:
    for end in ("info", "info/structures", "links", "structures", "structures/"):
        answer = client.get(f"/optimade{base}/{end}")
        assert answer.status_code == 200
        assert answer.json()["meta"]["query"]["representation"] == f"/{end}"
    assert client.get(f"/optimade{base}/").status_code == 200


@pytest.mark.django_db
def test_versions_are_listed_beside_them(client: Client) -> None:
    answer = client.get("/optimade/versions")
    assert answer.headers["Content-Type"] == "text/csv; header=present"
    assert answer.content == b"version\n1\n"


@pytest.mark.django_db
def test_any_web_page_may_read_these_addresses_and_no_others(client: Client) -> None:
    for address in (PAGE, f"{BASE}/info", f"{BASE}/nothing", "/optimade/versions"):
        assert client.get(address).headers["Access-Control-Allow-Origin"] == "*"
    assert client.options(PAGE).status_code == 204
    for address in ("/optimade/", "/", "/api/v1/frames/"):
        assert "Access-Control-Allow-Origin" not in client.get(address).headers


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_changed(method: str) -> None:
    answer = getattr(Client(enforce_csrf_checks=True), method)(PAGE)
    assert answer.status_code in {403, 405}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("application/vnd.api+json", 200),
        ("application/vnd.api+json; ext=x", 406),
        ("application/vnd.api+json; ext=x, application/vnd.api+json", 200),
    ],
)
def test_media_types_with_parameters_are_refused(client: Client, accept: str, status: int) -> None:
    assert client.get(PAGE, headers={"Accept": accept}).status_code == status


@pytest.mark.django_db
def test_too_many_requests_are_asked_to_wait(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VisitorThrottle, "rate", "3/min", raising=False)
    statuses = [client.get(f"{BASE}/info").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    answer = client.get(f"{BASE}/info")
    assert 0 < int(answer.headers["Retry-After"]) <= 61
    assert answer.json()["errors"][0]["status"] == "429"
    assert client.get(f"{BASE}/info", REMOTE_ADDR="10.1.1.1").status_code == 200


def test_an_operator_can_close_these_addresses(
    client: Client, owner: Any, lab: Any, settings: Any
) -> None:
    make_version(owner, lab, "public")
    settings.MLMD_OPTIMADE = False
    for address in ("/optimade/", PAGE, f"{BASE}/info", "/optimade/versions"):
        assert client.get(address).status_code == 404


def test_each_property_is_defined_as_it_is_sent(client: Client, owner: Any, lab: Any) -> None:
    make_exchange(owner, lab)
    said = client.get(f"{BASE}/info/structures").json()["data"]["properties"]
    assert said == definitions()
    for attributes in shown(client, page_limit=200).values():
        assert attributes.keys() | {"id", "type"} == said.keys()
        for name, value in attributes.items():
            assert value is None or fits(value, said[name]), name


def fits(value: Any, said: dict[str, Any]) -> bool:
    """Whether a value is of the data type of its definition, on every level."""
    kind = said["x-optimade-type"]
    if kind == "list":
        inner = said["items"]
        return isinstance(value, list) and all(v is None or fits(v, inner) for v in value)
    types = {"string": str, "timestamp": str, "boolean": bool, "integer": int, "float": float}
    return isinstance(value, types.get(kind, dict))


def test_units_are_defined_where_they_are_used() -> None:
    for name, said in definitions().items():
        symbols = {unit["symbol"] for unit in said.get("x-optimade-unit-definitions", ())}
        level, used = said, set()
        while level:
            unit = level["x-optimade-unit"]
            if unit not in {"dimensionless", "inapplicable"}:
                used |= {part.split("^")[0] for part in unit.split("*")}
            level = level.get("items")
        assert used == symbols, name


def test_only_what_can_be_sorted_is_called_sortable(client: Client, owner: Any, lab: Any) -> None:
    make_version(owner, lab, "public")
    for name, said in definitions().items():
        status = client.get(PAGE, {"sort": name, "response_fields": "id"}).status_code
        assert (status == 200) == said["sortable"] == bool(PROPERTIES[name].sort), name


def text_of(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_the_page_of_a_dataset_leads_to_its_entries(client: Client, owner: Any, lab: Any) -> None:
    client.force_login(owner)
    for visibility, count in (("public", 3), ("lab", 0)):
        dataset = make_version(owner, lab, visibility).dataset
        links = re.findall(
            r'href="(/optimade/[^"]*)"', text_of(client, f"/data/{dataset.public_id}/")
        )
        found = [client.get(html.unescape(link)).json()["data"] for link in links]
        assert [len(entries) for entries in found] == ([count] if count else [])
    draft = make_dataset(owner, lab, "public")
    assert "/optimade/" not in text_of(client, f"/data/{draft.public_id}/")


def test_a_person_is_told_what_the_address_is_for(client: Client, owner: Any, lab: Any) -> None:
    assert "No dataset with a published version is public yet" in text_of(client, "/optimade/")
    make_version(owner, lab, "public")
    page = text_of(client, "/optimade/")
    assert "3 published frames" in page
    for link in page.split('href="')[1:]:
        address = link.split('"')[0].replace("&amp;", "&")
        if "/structures?" in address:
            assert client.get(address).status_code == 200, address


def test_frames_from_before_are_noted_by_the_migration(
    client: Client, owner: Any, lab: Any
) -> None:
    from django.apps import apps

    make_exchange(owner, lab)
    query = 'elements:elements_ratios HAS "O":>0.6 OR nperiodic_dimensions<3'
    expected = shown(client, filter=query)
    assert len(expected) > 3
    Composition.objects.all().delete()
    Frame.objects.update(n_periodic=3)
    assert shown(client, filter=query) == {}
    importlib.import_module("datasets.migrations.0003_compositions_of_frames").note(apps, None)
    assert shown(client, filter=query) == expected


def test_the_database_learns_how_many_frames_there_are(
    owner: Any, lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_version(owner, lab, "public")
    assert not planner_refresh()
    monkeypatch.setattr("datasets.services.planner.FEWEST", 1)
    assert planner_refresh() == (connection.vendor == "sqlite")
    assert not planner_refresh()
    make_version(owner, lab, "public")
    assert planner_refresh() == (connection.vendor == "sqlite")
