"""Secrets that are shown once and kept only as hashes."""

import hashlib
import secrets

PREFIX = "mlmd_"


def token_make() -> str:
    """Return a new secret with 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def token_hash(secret: str) -> str:
    """Return the SHA-256 of a secret, hex; fast is fine because the secret can't be guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()
