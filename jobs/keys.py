"""SSH keys: made here, taken over from a person, and shown by their public half only."""

from __future__ import annotations

import base64
import hashlib
import io

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from django.utils.translation import gettext as _

from labs.exceptions import Refused

SMALLEST_RSA = 2048  # bits
PrivateKey = Ed25519PrivateKey | RSAPrivateKey | EllipticCurvePrivateKey


def make_key() -> tuple[str, str]:
    """Return a new Ed25519 key: (private half, OpenSSH's one-line public half)."""
    return _texts(Ed25519PrivateKey.generate())


def take_key(text: str, passphrase: str = "") -> tuple[str, str]:
    """Return a person's private key without its passphrase, and the public half.

    Args:
        text: in OpenSSH's or PEM form.
        passphrase: that protects it; empty when none does.

    Raises:
        Refused: it is no private key, of a kind that servers don't take, or the passphrase is wrong.
    """
    data, word = (text.strip() + "\n").encode(), passphrase.encode() or None
    opener = (
        serialization.load_ssh_private_key
        if b"BEGIN OPENSSH" in data
        else serialization.load_pem_private_key
    )
    try:
        key = opener(data, word)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's words may quote the key: they go nowhere.
        raise Refused(
            _(
                "This is no private key that can be read. Paste the whole file (id_ed25519, "
                "id_rsa; not .pub), and its passphrase if it has one."
            )
        ) from None
    if not isinstance(key, PrivateKey):
        raise Refused(_("Keys of this kind aren't taken: use Ed25519, ECDSA or RSA."))
    if isinstance(key, RSAPrivateKey) and key.key_size < SMALLEST_RSA:
        raise Refused(
            _("This RSA key has %(size)d bits; servers ask for %(least)d or more.")
            % {"size": key.key_size, "least": SMALLEST_RSA}
        )
    return _texts(key)


def _texts(key: PrivateKey) -> tuple[str, str]:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return private.decode(), f"{public.decode()} mlmd-portal"


def signing_key(private: str) -> paramiko.PKey:
    """Return a stored private half as the SSH library wants it."""
    key = serialization.load_ssh_private_key(private.encode(), None)
    if isinstance(key, Ed25519PrivateKey):
        return paramiko.Ed25519Key.from_private_key(io.StringIO(private))
    if isinstance(key, RSAPrivateKey):
        return paramiko.RSAKey.from_private_key(io.StringIO(private))
    return paramiko.ECDSAKey.from_private_key(io.StringIO(private))


def fingerprint(key_line: str) -> str:
    """Return the SHA-256 fingerprint of ``type base64`` as OpenSSH prints it."""
    digest = hashlib.sha256(base64.b64decode(key_line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
