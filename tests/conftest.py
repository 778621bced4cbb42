"""What every test may ask for."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.apps import AppConfig
from django.db.models.signals import post_migrate

_FOLDER = TemporaryDirectory(prefix="mlmd-tests-")
REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Serve static files as they lie (no manifest to collect) and hash passwords quickly."""
    from django.conf import settings

    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    derived = Path(_FOLDER.name)
    settings.CATALOG_DIR, settings.DOWNLOADS_DIR = derived / "catalog", derived / "downloads"
    settings.MLMD_VALIDATE = False  # or each training would start a further run
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    post_migrate.connect(_restore_local_cluster, dispatch_uid="tests")


def _restore_local_cluster(sender: AppConfig, **_: object) -> None:
    """Write again what a migration wrote and a transactional test's flush removed."""
    if sender.label == "jobs":
        from jobs.services import cluster_ensure_local

        cluster_ensure_local()


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """Folder of numbers computed by other people's programs; tests skip where it is absent."""
    folder = Path(os.environ.get("MLMD_REFERENCE", REPOSITORY.parent / "shared" / "reference"))
    if not folder.is_dir():
        pytest.skip(f"no reference numbers at {folder}: set MLMD_REFERENCE to their folder")
    return folder
