"""Zip files that are the same bytes each time they are made from the same files."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping

# The oldest date that zip can say: a date of today would change the archive's checksum.
_DATE = (1980, 1, 1, 0, 0, 0)


def sha256_of(content: bytes) -> str:
    """Return the hexadecimal SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def checksum_of(files: Mapping[str, bytes]) -> str:
    """Return one SHA-256 for a set of files: over their names and hashes, in name order."""
    lines = "".join(f"{sha256_of(files[name])}  {name}\n" for name in sorted(files))
    return sha256_of(lines.encode())


def deterministic_zip(folder: str, files: Mapping[str, bytes]) -> bytes:
    """Pack files into one folder of a zip.

    A file ``SHA256SUMS`` for ``sha256sum -c`` is added.

    Args:
        folder: the folder's name within the archive.
        files: name → content.

    Returns:
        The archive; the same files give the same bytes.
    """
    sums = "".join(f"{sha256_of(files[name])}  {name}\n" for name in sorted(files))
    content = {**files, "SHA256SUMS": sums.encode()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(content):
            entry = zipfile.ZipInfo(f"{folder}/{name}", date_time=_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, so that every system writes the same header
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content[name])
    return stream.getvalue()
