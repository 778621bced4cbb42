"""A lab with its people and an own media folder for each test."""

from __future__ import annotations

from typing import Any

import pytest

from labs.models import Role
from tests.labs.factories import make_lab, make_user


@pytest.fixture(autouse=True)
def _own_folders(settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.CATALOG_DIR = tmp_path / "catalog"
    settings.DOWNLOADS_DIR = tmp_path / "downloads"
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    monkeypatch.setattr("jobs.nudge._send", lambda task, key: None)


@pytest.fixture
def lab(db: Any) -> Any:
    return make_lab()


@pytest.fixture
def owner(lab: Any) -> Any:
    return make_user(lab)


@pytest.fixture
def guest(lab: Any) -> Any:
    return make_user(lab, Role.GUEST)


@pytest.fixture
def stranger(db: Any) -> Any:
    return make_user(make_lab())


@pytest.fixture
def page(client: Any, owner: Any) -> Any:
    client.force_login(owner)
    return client
