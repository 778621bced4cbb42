"""A copy of everything that the site keeps, and the way back.

A backup is a folder: the database as its own tools copy it, the documents of the frames where they
lie outside of it, the files, `SHA256SUMS` for `sha256sum -c`, and `manifest.json`. The keys that
sign sessions and encrypt credentials are never in it.
"""

from portal.backup.reading import restore_site
from portal.backup.writing import back_up_site

__all__ = ["back_up_site", "restore_site"]
