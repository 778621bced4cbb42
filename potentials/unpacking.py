"""Takes the files of a potential out of what a person sends: files, a folder, an archive.

Nothing is unpacked to the disk under a name of the sender's: members are read one by one, within
bounds, and only those that carry the name of a potential's file are kept, by their last part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import NamedTemporaryFile

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from labs.exceptions import Refused
from mlmd.formats.bundle import is_archive, members
from mlmd.formats.source import Limits, Source, safe_name
from potentials.families.reading import owner_of

MOST_BYTES = 20_000_000  # of a potential's files together
MOST_SENT = 100_000_000  # of a request
MOST_LISTED = 100  # files that are told of one by one
LIMITS = Limits(decompressed_bytes=200_000_000, ratio=250, free_bytes=20_000_000)
CHUNK = 1 << 18


class Fate(StrEnum):
    """What became of a file."""

    KEPT = "accepted"
    IGNORED = "note"
    REFUSED = "refused"


@dataclass(frozen=True)
class Verdict:
    """What became of one file, and why.

    Args:
        name: as it was sent, with its folders.
        size: bytes.
        fate: kept, ignored or refused.
        words: why.
    """

    name: str
    size: int
    fate: Fate
    words: str


@dataclass(frozen=True)
class Unpacked:
    """What was found.

    Args:
        files: of the potential, name → content.
        verdicts: one for each file, at most `MOST_LISTED`.
        ignored: how many files more were ignored.
    """

    files: dict[str, bytes]
    verdicts: tuple[Verdict, ...]
    ignored: int

    @property
    def refused(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if verdict.fate is Fate.REFUSED]


@dataclass(frozen=True)
class _Found:
    """A file, from wherever it came; its content only where it may be a potential's."""

    path: str
    size: int
    content: bytes


def unpack(sent: Iterable[UploadedFile]) -> Unpacked:
    """Return the files of a potential among what was sent.

    Raises:
        Refused: more bytes than a potential has.
        mlmd.errors.InvalidInput: an archive that is damaged or expands beyond all measure.
    """
    files: dict[str, bytes] = {}
    verdicts: list[Verdict] = []
    ignored = total = 0
    for found in _all_files(sent):
        verdict = _judge(found, files)
        if verdict.fate is Fate.KEPT:
            total += found.size
            if total > MOST_BYTES:
                raise Refused(_too_large(_("All files together")))
            files[safe_name(found.path)] = found.content
        if len(verdicts) < MOST_LISTED or verdict.fate is not Fate.IGNORED:
            verdicts.append(verdict)
        else:
            ignored += 1
    return Unpacked(files, tuple(verdicts), ignored)


def _all_files(sent: Iterable[UploadedFile]) -> Iterator[_Found]:
    for upload in sent:
        name = safe_name(upload.name or "")
        with NamedTemporaryFile(prefix="mlmd-upload-") as copy:
            for chunk in upload.chunks(CHUNK):
                copy.write(chunk)
            copy.flush()
            yield from _inside(Path(copy.name), name, upload.size or 0)


def _inside(path: Path, name: str, size: int) -> Iterator[_Found]:
    """Yield the members of an archive, or the file itself."""
    with Source(path, name, LIMITS) as source:
        # A single file that is compressed (input.nn.gz) is read as what it holds.
        if not is_archive(source.head(512)):
            plain = name.removesuffix(".gz").removesuffix(".xz").removesuffix(".bz2")
            wanted = owner_of(plain) is not None
            content = _bounded(source) if wanted else b""
            yield _Found(plain if wanted else name, len(content) if wanted else size, content)
            return
    with Source(path, name, LIMITS) as source:
        for member in members(source):
            wanted = owner_of(safe_name(str(member.path))) is not None
            content = bytes(member.load()) if wanted and member.size <= MOST_BYTES else b""
            yield _Found(str(member.path), member.size, content)


def _bounded(source: Source) -> bytes:
    parts, total = [], 0
    for chunk in source.chunks():
        total += len(chunk)
        if total > MOST_BYTES:
            raise Refused(_too_large(source.name))
        parts.append(chunk)
    return b"".join(parts)


def _judge(found: _Found, files: dict[str, bytes]) -> Verdict:
    name = safe_name(found.path)
    shown = "".join(c for c in found.path if c.isprintable())[:200]
    reader = owner_of(name)
    if reader is None:
        return Verdict(shown, found.size, Fate.IGNORED, _hint(name))
    if found.size > MOST_BYTES:
        return Verdict(shown, found.size, Fate.REFUSED, _too_large(name))
    if name in files and files[name] != found.content:
        words = _("A second file of this name: bring one potential at a time.")
        return Verdict(shown, found.size, Fate.REFUSED, words)
    if not found.content:
        return Verdict(shown, found.size, Fate.REFUSED, _("The file is empty."))
    words = _("A file of %(program)s.") % {"program": reader.program}
    return Verdict(shown, found.size, Fate.KEPT, words)


def _too_large(name: str) -> str:
    megabytes = MOST_BYTES // 1_000_000
    return _("%(name)s: more than the %(mb)d MB that a potential may have.") % {
        "name": name,
        "mb": megabytes,
    }


def _hint(name: str) -> str:
    if name.startswith("weights.") and name.endswith(".out"):
        return _("Weights after one epoch: rename the chosen ones to weights.ZZZ.data.")
    return _("Not needed.")
