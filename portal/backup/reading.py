"""Putting a backup back."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from jobs.errors import ClusterTrouble
from jobs.models import Credential
from jobs.vault import unseal
from portal.backup import database
from portal.backup.documents import is_apart, load_documents, missing_documents
from portal.backup.manifest import (
    DATABASE,
    DOCUMENTS,
    FILES,
    BackupError,
    Manifest,
    check_sums,
    site_folders,
)

Say = Callable[[str], object]


def restore_site(folder: Path, *, replace: bool = False, say: Say = print) -> Manifest:
    """Make the site what it was when the backup was made. The site must be stopped.

    Everything is checked before anything is changed. Interrupted, it can be started again.

    Args:
        folder: of one backup.
        replace: give up what is here now; without it, only an empty site is written to.
        say: takes one line for the person at the terminal.

    Raises:
        BackupError: the backup isn't whole or doesn't fit, or the site isn't empty.
    """
    manifest = Manifest.read(folder)
    _must_fit(folder, manifest)
    if not replace and not database.is_empty():
        raise BackupError(
            "There are accounts on this site already. Restore into a fresh one, or say --replace "
            "to give up everything that is here now."
        )
    say(f"Checked {check_sums(folder)} files of the backup of {manifest.made_at}.")
    for name, target in site_folders().items():
        _place_files(folder / FILES / name, target)
    say(f"Files: {manifest.files}.")
    database.load(folder / DATABASE)
    call_command("migrate", interactive=False, verbosity=0)
    say(f"Database: {sum(manifest.rows.values())} rows.")
    _restore_documents(folder, manifest, say)
    say(_about_credentials())
    return manifest


def _must_fit(folder: Path, manifest: Manifest) -> None:
    if manifest.database != connection.vendor:
        raise BackupError(
            f"{folder} holds a {manifest.database} database, this site uses {connection.vendor}: "
            "set DATABASE_URL to one of the same kind."
        )
    database.need_tools()
    unknown = sorted(set(manifest.migrations) - database.known_migrations())
    if unknown:
        raise BackupError(
            f"{folder} was made by a newer version of the portal ({manifest.version}; it knows "
            f"{unknown[0]}): install that version first."
        )
    if manifest.documents is not None and not is_apart():
        raise BackupError(
            f"{folder} holds documents of a store of their own: set MLMD_TEACHER_URL to an empty one."
        )


def _place_files(source: Path, target: Path) -> None:
    """Put a folder in the place of another, which disappears in one step."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft, old = (target.with_name(f".{word}-{target.name}") for word in ("restoring", "before"))
    for path in (draft, old):
        shutil.rmtree(path, ignore_errors=True)
    if source.is_dir():
        shutil.copytree(source, draft)
    else:
        draft.mkdir()
    if target.exists():
        os.replace(target, old)
    os.replace(draft, target)
    shutil.rmtree(old, ignore_errors=True)


def _restore_documents(folder: Path, manifest: Manifest, say: Say) -> None:
    if manifest.documents is None:
        return
    say(f"Documents: {load_documents(folder / DOCUMENTS)}.")
    if missing := missing_documents():
        say(f"{missing} frames were deleted while the backup was made; they have no document.")


def _about_credentials() -> str:
    credential = Credential.objects.first()
    if credential is None:
        return "No cluster needs credentials."
    try:
        unseal(credential.secret)
    except ClusterTrouble:
        return (
            "The credentials of clusters can't be read with this site's key. Put the credential_key "
            "of the old site into MLMD_VAR (or set MLMD_CREDENTIAL_KEY), or enter the keys and "
            "passwords of the clusters again."
        )
    return "The credentials of clusters can be read."
