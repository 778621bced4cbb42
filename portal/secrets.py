"""The site's own secret, made once and kept outside the database."""

import os
import secrets
from pathlib import Path


class Unshown(str):
    """Text that pages and logs of errors show as dots: an address with a password in it."""

    def __repr__(self) -> str:
        return "'…'" if self else "''"


def secret_from_file(path: Path) -> str:
    """Return the secret in `path`, making it (mode 0600) at the first call.

    Two processes that start together agree: whoever links the file first wins.
    """
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(50))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # the other process was first: its secret is the site's
        finally:
            draft.unlink()
    return path.read_text().strip()
