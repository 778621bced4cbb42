"""A lab's pseudopotentials: uploaded, checked by their own header, kept by hash."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from datasets.models import PseudoFamily, PseudoFile
from datasets.services.access import creation_check
from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab, Visibility
from mlmd.codes.pseudopotentials import BIGGEST, Pseudopotential
from mlmd.codes.upf import read_upf_header


def pseudo_path(sha256: str) -> Path:
    """Return where the file with this hash lies."""
    return Path(settings.MEDIA_ROOT) / "pseudopotentials" / f"{sha256}.UPF"


@transaction.atomic
def pseudo_family_create(
    *,
    owner: Any,
    lab: Lab,
    name: str,
    licence: str = "",
    source: str = "",
    visibility: str = Visibility.LAB,
) -> PseudoFamily:
    """Make an empty family.

    Raises:
        PermissionDenied: the person may not add to the lab.
        Refused: no name.
    """
    creation_check(owner, lab)
    name = " ".join(name.split())[:120]
    if not name:
        raise Refused(_("A family needs a name."))
    family = PseudoFamily.objects.create(
        owner=owner,
        lab=lab,
        name=name,
        licence=licence.strip()[:120],
        source=source.strip()[:400],
        visibility=visibility,
    )
    audit_record(actor=owner, verb="pseudopotential family created", target=family)
    return family


@transaction.atomic
def pseudo_file_add(
    *, family: PseudoFamily, actor: Any, name: str, chunks: Iterable[bytes]
) -> PseudoFile:
    """Add a UPF file to a family; what it is, is read from its header.

    Raises:
        Refused: too large, of another functional, or the family has one of that element.
        mlmd.errors.FormatError: it is no UPF file.
    """
    content = _bounded(chunks, name)
    header = read_upf_header(content, name)
    family = PseudoFamily.objects.select_for_update().get(pk=family.pk)
    if family.functional and header.functional != family.functional:
        raise Refused(
            _("%(name)s is made for %(found)s, the family for %(expected)s: they don't mix.")
            % {
                "name": name,
                "found": header.functional or "–",
                "expected": family.functional,
            }
        )
    digest = hashlib.sha256(content).hexdigest()
    known = family.files.filter(element=header.element).first()
    if known and known.sha256 == digest:
        return known
    if known:
        raise Refused(
            _("The family has %(known)s for %(element)s already; make another family.")
            % {"known": known.name, "element": header.element}
        )
    _store(content, digest)
    if not family.functional:
        PseudoFamily.objects.filter(pk=family.pk).update(functional=header.functional)
    added = PseudoFile.objects.create(
        family=family,
        element=header.element,
        name=_file_name(name, header.element),
        kind=header.kind,
        functional=header.functional,
        relativistic=header.relativistic[:10],
        valence=header.valence,
        cutoff=header.cutoff,
        density_cutoff=header.density_cutoff,
        size=len(content),
        sha256=digest,
    )
    audit_record(actor=actor, verb="pseudopotential added", target=family, file=added.name)
    return added


@transaction.atomic
def pseudo_family_set_visibility(*, family: PseudoFamily, actor: Any, visibility: str) -> None:
    """Say who may see and use a family."""
    if visibility not in Visibility.values:
        raise Refused(_("“%s” isn't a visibility.") % visibility)
    family.visibility = visibility
    family.save(update_fields=["visibility", "modified_at"])
    audit_record(actor=actor, verb="pseudopotential family changed", target=family)


@transaction.atomic
def pseudo_family_delete(*, family: PseudoFamily, actor: Any) -> None:
    """Delete a family; files that no other family has go with it.

    Runs that wait for one of them fail with words.
    """
    hashes = set(family.files.values_list("sha256", flat=True))
    audit_record(actor=actor, verb="pseudopotential family deleted", target=family)
    family.delete()
    left = set(PseudoFile.objects.filter(sha256__in=hashes).values_list("sha256", flat=True))
    transaction.on_commit(lambda: _remove(hashes - left))


def family_table(family: PseudoFamily) -> dict[str, Pseudopotential]:
    """Return the pseudopotentials of a family by element."""
    return {
        row.element: Pseudopotential(
            element=row.element,
            path=pseudo_path(row.sha256),
            sha256=row.sha256,
            valence=row.valence,
            cutoff=row.cutoff,
            title=row.name,
        )
        for row in family.files.all()
    }


def _bounded(chunks: Iterable[bytes], name: str) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > BIGGEST:
            raise Refused(
                _("%(name)s is larger than %(most)d MB.") % {"name": name, "most": BIGGEST >> 20}
            )
    return bytes(content)


def _file_name(name: str, element: str) -> str:
    """Return a name that is safe in a run directory and ends as pw.x expects."""
    stem = re.sub(r"[^\w.+-]", "_", Path(name).name)
    stem = re.sub(r"\.upf$", "", stem, flags=re.IGNORECASE).strip("._")[:150]
    return f"{stem or element}.UPF"


def _store(content: bytes, digest: str) -> None:
    path = pseudo_path(digest)
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid4().hex}.part")
    with part.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)


def _remove(hashes: Iterable[str]) -> None:
    for digest in hashes:
        pseudo_path(digest).unlink(missing_ok=True)
