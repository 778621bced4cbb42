"""Keeping secrets: encrypted in the database, with a key that is not in it."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.translation import gettext as _

from jobs.errors import ClusterTrouble


def _cipher() -> Fernet:
    derived = HKDF(SHA256(), length=32, salt=None, info=b"mlmd cluster credentials").derive(
        settings.CREDENTIAL_KEY.encode()
    )
    return Fernet(base64.urlsafe_b64encode(derived))


def seal(secret: str) -> str:
    """Return the secret as it may stand in the database."""
    return _cipher().encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """Return the secret again.

    Raises:
        ClusterTrouble: it was sealed with another key, or changed since.
    """
    try:
        return _cipher().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise ClusterTrouble(
            _(
                "The stored credentials can't be read: the portal's credential key was replaced. "
                "Enter the key or password of the cluster again."
            ),
            needs_person=True,
        ) from None
