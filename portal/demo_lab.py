"""The lab that a fresh site starts with: one account and the bundled silicon data."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.conf import settings
from django.db import transaction

from datasets.services import bundled_silicon_dataset
from labs.models import Lab, Membership, Role, User

EMAIL = "demo@portal.example"
LAB_NAME = "Demo lab"


def demo_lab_ensure() -> tuple[str, str] | None:
    """Make the demo lab at the first start and return how to sign in (e-mail, password).

    The password is random, kept readable for the operator only in the site's folder, and
    never changed again here. Returns None on a site that has other people but no demo lab.
    """
    note = settings.VAR_DIR / "demo-password"
    if not User.objects.filter(email=EMAIL).exists():
        if User.objects.exists():
            return None
        _make(_password(note))
    return (EMAIL, note.read_text().strip()) if note.exists() else None


def _password(note: Path) -> str:
    if not note.exists():
        descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(9))
    return note.read_text().strip()


@transaction.atomic
def _make(password: str) -> None:
    user = User.objects.create_superuser(EMAIL, password, name="Demo researcher")
    lab = Lab.objects.create(name=LAB_NAME, description="Made at the first start.")
    Membership.objects.create(user=user, lab=lab, role=Role.MANAGER)
    bundled_silicon_dataset(owner=user, lab=lab)
