"""The committee that a potential was trained with: kept beside its own files, in one archive."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.db.models import QuerySet

from mlmd.hdnnp.committee import MEMBER_FOLDERS
from mlmd.hdnnp.training import COMMITTEE_FILE
from potentials.archives import deterministic_zip
from potentials.models import Potential, PotentialFile

ARCHIVE = "committee.zip"
MOST_BYTES = 20_000_000  # of the archive; some 100 kB a member are usual
_NAMES = re.compile(r"committee/(?:(potential-\d{1,3})/)?([\w.+-]+)")


def committee_archive(folder: Path) -> bytes | None:
    """Return the members that a training left and what they say of held-out frames.

    Args:
        folder: of the training's run.

    Returns:
        A zip; None where one potential was trained alone, or where it would be larger than
        what is kept.
    """
    if not (folder / COMMITTEE_FILE).is_file():
        return None
    files = {COMMITTEE_FILE: (folder / COMMITTEE_FILE).read_bytes()}
    for path in sorted(folder.glob(f"{MEMBER_FOLDERS}/*")):
        files[f"{path.parent.name}/{path.name}"] = path.read_bytes()
    content = deterministic_zip("committee", files)
    return content if len(files) > 1 and len(content) <= MOST_BYTES else None


def own_files(potential: Potential) -> dict[str, bytes]:
    """Return the files that a potential is read from, name → content."""
    files = potential.files.exclude(name=ARCHIVE)
    return {file.name: bytes(file.content) for file in files}


def committee_of(potential: Potential) -> bytes | None:
    """Return the archive of the committee that a potential belongs to, or None."""
    found = potential.files.filter(name=ARCHIVE).first()
    return bytes(found.content) if found else None


def has_committee(potential: Potential) -> bool:
    """Whether the members that a potential was trained with are kept."""
    return potential.files.filter(name=ARCHIVE).exists()


def with_committee(potentials: QuerySet[Potential]) -> list[Any]:
    """Return the public ids of those potentials that have a committee."""
    files = PotentialFile.objects.filter(name=ARCHIVE, potential__in=potentials)
    return list(files.values_list("potential__public_id", flat=True))


@contextmanager
def committee_folder(archive: bytes) -> Iterator[str]:
    """Give a folder with the members, as a training leaves them."""
    with (
        TemporaryDirectory(prefix="mlmd-committee-") as folder,
        zipfile.ZipFile(io.BytesIO(archive)) as content,
    ):
        for name in content.namelist():
            found = _NAMES.fullmatch(name)
            if found is None or name.endswith("SHA256SUMS"):
                continue
            place = Path(folder) / (found[1] or "")
            place.mkdir(exist_ok=True)
            (place / found[2]).write_bytes(content.read(name))
        yield folder
