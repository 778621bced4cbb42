"""`mlmd.Portal` against a live site with a real token."""

from __future__ import annotations

import zipfile
from typing import Any

import numpy as np
import pytest

import mlmd
from labs.services.accounts import token_create, token_revoke
from mlmd.client import PortalError
from mlmd.errors import InvalidInput
from mlmd.formats import open_frames
from tests.datasets.factories import make_dataset, make_frame, make_frames, make_version
from tests.labs.factories import make_lab, make_user
from tests.potentials.factories import make_potential


@pytest.fixture
def lab(transactional_db: Any, settings: Any, tmp_path: Any, monkeypatch: Any) -> Any:
    settings.MEDIA_ROOT = tmp_path / "media"
    monkeypatch.setattr("jobs.nudge._send", lambda task, key: None)
    return make_lab()


@pytest.fixture
def owner(lab: Any) -> Any:
    return make_user(lab)


@pytest.fixture
def secret(owner: Any) -> Any:
    return token_create(user=owner, name="client", scopes=["read"])


@pytest.fixture
def portal(live_server: Any, secret: Any) -> mlmd.Portal:
    return mlmd.Portal(live_server.url, secret[1])


def test_frames_and_atoms_come_out_as_they_went_in(portal, owner, lab):
    made = make_frames(5)
    make_dataset(owner, lab, frames=made, name="Silicon")
    make_dataset(owner, lab, frames=[make_frame(9, (8, 8))], name="Oxygen")
    (dataset,) = portal.datasets(elements=["Si"])
    assert (dataset.name, dataset.elements, dataset.frame_count) == ("Silicon", ("Si",), 5)
    read = list(dataset.frames())
    assert [f.energy for f in read] == [f.energy for f in made]
    np.testing.assert_array_equal(read[3].forces, made[3].forces)
    atoms = list(portal.datasets(elements="O").atoms())
    assert [a.get_chemical_formula() for a in atoms] == ["O2"]
    assert atoms[0].get_potential_energy() == make_frame(9, (8, 8)).energy
    assert portal.datasets("silicon").count == 1
    assert portal.me()["email"] == owner.email


def test_lists_go_on_over_their_pages(portal, owner, lab, monkeypatch):
    monkeypatch.setattr("mlmd.client.portal._PAGE", 2)
    names = {make_dataset(owner, lab, frames=[make_frame()], name=f"D{i}").name for i in range(5)}
    found = portal.datasets()
    assert {dataset.name for dataset in found} == names
    assert found.count == 5
    assert len(list(found.frames())) == 5


def test_a_version_stays_what_it_was(portal, owner, lab):
    version = make_version(owner, lab, frames=make_frames(3))
    dataset = portal.dataset(str(version.dataset.public_id))
    assert [v.checksum for v in dataset.versions] == [version.checksum]
    assert len(list(dataset.frames(version=1))) == 3
    with pytest.raises(InvalidInput, match=r"version 7.*one of 1"):
        dataset.frames(version=7)


@pytest.mark.parametrize("file_format", ["extxyz", "deepmd", "asedb"])
def test_files_are_saved_whole(portal, owner, lab, tmp_path, file_format):
    make_dataset(owner, lab, frames=make_frames(4))
    path = portal.datasets().first().download(tmp_path / "data", file_format)
    assert len(list(open_frames(path))) == 4
    assert list(tmp_path.glob("*.part")) == []


def test_a_search_over_all_frames_is_a_stream(portal, owner, lab):
    make_dataset(owner, lab, frames=[make_frame(i, (8,) * (1 + i % 3)) for i in range(9)])
    assert [len(f) for f in portal.frames(elements="O", atoms_min=3)] == [3, 3, 3]
    with pytest.raises(PortalError, match="Qq") as caught:
        list(portal.frames(elements="Qq"))
    assert caught.value.status == 400


def test_potentials_are_listed_and_saved(portal, owner, lab, tmp_path):
    made = make_potential(owner, lab)
    (potential,) = portal.potentials()
    assert (potential.name, potential.elements) == (made.name, ("Si",))
    path = potential.download(tmp_path / "p.zip")
    assert any(name.endswith("input.nn") for name in zipfile.ZipFile(path).namelist())


def test_what_others_hide_is_not_there(portal, live_server):
    other = make_lab()
    hidden = make_dataset(make_user(other), other, visibility="private")
    assert list(portal.datasets()) == []
    with pytest.raises(PortalError) as caught:
        portal.dataset(str(hidden.public_id))
    assert caught.value.status == 404


def test_a_revoked_token_is_told_in_words(portal, secret):
    token_revoke(token=secret[0])
    with pytest.raises(PortalError) as caught:
        portal.me()
    assert caught.value.status == 401
    assert secret[1] not in str(caught.value)
