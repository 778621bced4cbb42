"""Keeps what was sent as a potential and refused, so that nobody has to send it again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from labs.audit import audit_record
from labs.models import Lab, Visibility
from labs.selectors import may_create
from mlmd.formats.source import safe_name
from potentials.archives import deterministic_zip
from potentials.models import RefusedUpload
from potentials.unpacking import Verdict

MOST_KEPT = 25_000_000  # bytes
# What is kept of a form, so that it needn't be filled in again.
FIELDS = (
    *("name", "length_unit", "energy_unit", "source", "not_for", "licence", "visibility"),
    *("lammps_lines", "lammps_elements", "description", "citation"),
)
MOST_LETTERS = 100_000  # of a field


@transaction.atomic
def refusal_keep(
    *,
    owner: Any,
    lab: Lab,
    sent: Sequence[UploadedFile],
    typed: Mapping[str, Any],
    versions: Sequence[str],
    reason: str,
    verdicts: Sequence[Verdict],
    earlier: RefusedUpload | None = None,
) -> RefusedUpload:
    """Keep what was sent, with the reason; the same files again give the same row.

    Args:
        owner: who sent it.
        lab: for which.
        sent: the files; none where those of ``earlier`` were tried again.
        typed: fields of the form as they were typed.
        versions: public ids of the dataset versions to judge it by.
        reason: why it did not become a potential, in words.
        verdicts: what became of each file.
        earlier: the row that this was another attempt of.

    Raises:
        PermissionDenied: the person may not add to the lab.
    """
    if not may_create(owner, lab):
        raise PermissionDenied(_("Guests of a lab can look, but not add potentials."))
    row = earlier or RefusedUpload(owner=owner, lab=lab)
    if sent:
        digest = _digest(sent)
        if earlier is None:
            known = RefusedUpload.objects.filter(owner=owner, lab=lab, sha256=digest).first()
            row = known or row
        row.sha256, row.size = digest, sum(file.size or 0 for file in sent)
        row.file_name, row.content = _as_one(sent)
    values = {key: str(typed.get(key, ""))[:MOST_LETTERS] for key in FIELDS}
    is_private = values["visibility"] == Visibility.PRIVATE
    row.visibility = Visibility.PRIVATE if is_private else Visibility.LAB
    row.name = values["name"][:120].strip()
    row.values = {**values, "versions": [str(version) for version in versions][:200]}
    row.reason = reason
    row.verdicts = [asdict(verdict) for verdict in verdicts]
    row.save()
    return row


def refusal_files(row: RefusedUpload) -> list[UploadedFile]:
    """Return what was sent, as it came; none where it was too large to be kept."""
    if row.content is None:
        return []
    return [SimpleUploadedFile(row.file_name, bytes(row.content))]


@transaction.atomic
def refusal_delete(*, row: RefusedUpload, actor: Any) -> None:
    """Take it off the list, files and all.

    Raises:
        PermissionDenied: the person may not change it.
    """
    if not RefusedUpload.objects.editable_by(actor).filter(pk=row.pk).exists():
        raise PermissionDenied(_("Only its owner and the lab's managers can take it off the list."))
    audit_record(actor=actor, verb="refused potential deleted", target=row)
    row.delete()


def _digest(sent: Sequence[UploadedFile]) -> str:
    """Return the SHA-256 over names and contents."""
    digest = hashlib.sha256()
    for file in sent:
        file.seek(0)
        digest.update(f"{file.name}\n{file.size}\n".encode())
        for chunk in file.chunks():
            digest.update(chunk)
    return digest.hexdigest()


def _as_one(sent: Sequence[UploadedFile]) -> tuple[str, bytes | None]:
    """Return one file as it is, several as an archive; no content of more than is kept."""
    names = [safe_name(file.name or "file")[:200] for file in sent]
    name = names[0] if len(names) == 1 else "files.zip"
    if sum(file.size or 0 for file in sent) > MOST_KEPT:
        return name, None
    for file in sent:
        file.seek(0)
    if len(sent) == 1:
        return name, sent[0].read()
    # Of files with the same name in different folders both are kept.
    paths = [n if names.index(n) == i else f"{i}/{n}" for i, n in enumerate(names)]
    return name, deterministic_zip("files", {p: f.read() for p, f in zip(paths, sent, strict=True)})
