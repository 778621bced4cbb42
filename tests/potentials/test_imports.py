"""Potentials from elsewhere come into the catalog: over the API, and from `mlmd.N2p2`."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

import mlmd
from labs.services.accounts import token_create
from mlmd.client import PortalError
from mlmd.n2p2 import N2p2, Programs
from potentials.models import Potential
from tests.mlmd.n2p2.conftest import write_stand_in
from tests.potentials.factories import labelled_frames, network, network_files

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/potentials/import/"


@pytest.fixture
def api(owner) -> APIClient:
    client = APIClient()
    client.force_authenticate(owner)
    return client


def body(**changes: Any) -> dict[str, Any]:
    files = {name: content.decode() for name, content in network_files(network(("Si",))).items()}
    return {"name": "From elsewhere", "files": files, "force_rmse": 98.5, **changes}


def test_files_become_a_potential_that_can_be_downloaded(api, owner, lab) -> None:
    answer = api.post(URL, body(), format="json")
    assert answer.status_code == 201, answer.content
    potential = Potential.objects.get()
    assert str(potential.public_id) == answer.json()["id"]
    assert (potential.elements, potential.force_rmse) == (["Si"], 98.5)
    assert potential.training is None
    page = f"/api/v1/potentials/{potential.public_id}/archive/"
    assert api.get(page).status_code == 200


def test_its_page_shows_what_is_known(api, owner, lab, sign_in) -> None:
    made = api.post(URL, body(), format="json").json()
    page = sign_in(owner).get(f"/potentials/{made['id']}/")
    assert page.status_code == 200
    assert "98.5" in page.content.decode()


def test_the_same_files_again_are_the_same_potential(api) -> None:
    first = api.post(URL, body(), format="json")
    again = api.post(URL, body(name="Another name"), format="json")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "  "}, "name"),
        ({"files": {"input.nn": "elements Si"}}, "lacks scaling.data"),
        ({"files": {"../../etc/passwd": ""}}, "is no file of a potential"),
    ],
)
def test_what_is_no_potential_is_refused_in_words(api, change, words) -> None:
    answer = api.post(URL, body(**change), format="json")
    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert not Potential.objects.exists()


def test_units_that_nothing_says_are_asked_for(api) -> None:
    asked = body()
    del asked["files"]["units.json"]
    answer = api.post(URL, asked, format="json")
    assert answer.status_code == 400
    assert "Nothing says the units" in answer.content.decode()


def test_a_damaged_file_is_named_with_its_line(api) -> None:
    asked = body()
    asked["files"]["weights.014.data"] = "0.1 a\nnothing\n"
    answer = api.post(URL, asked, format="json")
    assert answer.status_code == 400
    assert "weights.014.data, line 2" in answer.content.decode()


def test_guests_add_nothing(guest) -> None:
    client = APIClient()
    client.force_authenticate(guest)
    assert client.post(URL, body(), format="json").status_code == 403
    assert not Potential.objects.exists()


def run_n2p2(tmp_path, portal) -> None:
    programs = Programs(write_stand_in(tmp_path / "bin"))
    N2p2(
        labelled_frames(14), tmp_path / "si-n2p2", programs=programs, store=portal, epochs=2,
        hidden_nodes="3", told=lambda fraction, words: None,
    ).run()  # fmt: skip


def test_a_training_elsewhere_goes_into_the_catalog(owner, lab, live_server, tmp_path) -> None:
    _row, secret = token_create(user=owner, name="n2p2", scopes=["read", "write"])
    run_n2p2(tmp_path, mlmd.Portal(live_server.url, secret))
    potential = Potential.objects.get()
    assert potential.name == "si-n2p2"
    assert potential.energy_rmse == pytest.approx(10.0)
    assert potential.frame_count == 14
    assert potential.validation["best_epoch"] == 1
    assert potential.settings["epochs"] == 2


def test_a_token_that_only_reads_is_refused(owner, lab, live_server, tmp_path) -> None:
    _row, secret = token_create(user=owner, name="n2p2", scopes=["read"])
    with pytest.raises(PortalError, match="403"):
        run_n2p2(tmp_path, mlmd.Portal(live_server.url, secret))
    assert not Potential.objects.exists()
