"""A data-management plan of a dataset, written from what is stored of it (Markdown, English)."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Sum

from datasets.credits import authors_from_json
from datasets.models import Dataset, DatasetVersion, Frame, Licence
from datasets.splits import StatedSplit
from datasets.statistics import levels
from datasets.store import SqlDocumentStore, document_store
from mlmd.documents import SCHEMA_VERSION

_SEEN_BY = {
    "private": "Only the owner sees the data.",
    "lab": "Members and guests of the lab see the data.",
    "public": "Everyone who is signed in sees the data.",
}


def plan_text(dataset: Dataset, address: str) -> str:
    """Return the plan.

    Args:
        dataset: with owner and lab.
        address: of its page.
    """
    versions = list(dataset.versions.order_by("number"))
    sections = {
        "1 Data": _data(dataset),
        "2 Documentation and metadata": _documentation(dataset),
        "3 Authors, responsibility and funding": _people(dataset),
        "4 Versions, integrity and quality": _versions(versions),
        "5 Access, licence and embargo": _access(dataset, address),
        "6 Storage, preservation and withdrawal": _storage(dataset),
    }
    parts = [f"# Data-management plan: {dataset.name}"]
    for title, lines in sections.items():
        parts += [f"## {title}", "\n".join(f"- {line}" for line in lines)]
    return "\n\n".join(parts) + "\n"


def _data(dataset: Dataset) -> Iterator[str]:
    frames = Frame.objects.filter(dataset=dataset).current()
    atoms = frames.aggregate(n=Sum("n_atoms"))["n"] or 0
    if dataset.description:
        yield " ".join(dataset.description.split())
    yield f"{dataset.frame_count} labelled atomic configurations with {atoms} atoms in all."
    yield f"Elements: {', '.join(dataset.elements) or 'none yet'}."
    for level in levels(frames):
        yield f"{level.frames} frames computed with {level.compat_key}."
    files = dataset.uploads.filter(state="accepted").aggregate(n=Sum("size"))["n"] or 0
    count = dataset.uploads.filter(state="accepted").count()
    if count:
        yield f"Made from {count} original files, {files / 1e6:.1f} MB, which are kept as sent."


def _documentation(dataset: Dataset) -> Iterator[str]:
    yield f"Each frame is a document of the published JSON Schema, version {SCHEMA_VERSION}."
    yield "Units: Å, eV, eV/Å and eV/Å³; the stress is the Cauchy stress, tension positive."
    yield "Open formats for download: extended XYZ, n2p2 input.data, JSON lines."
    yield "Each frame keeps code, version, functional, cutoff, k-points and pseudopotentials."
    if dataset.tags:
        yield f"Keywords: {', '.join(dataset.tags)}."


def _people(dataset: Dataset) -> Iterator[str]:
    for author in authors_from_json(dataset.authors):
        orcid = f", https://orcid.org/{author.orcid}" if author.orcid else ""
        place = f", {author.affiliation}" if author.affiliation else ""
        yield f"Author: {author.name}{orcid}{place}."
    yield f"Responsible for the data: {dataset.owner}, {dataset.lab.name}."
    for line in dataset.funding.splitlines():
        if line.strip():
            yield f"Funding: {line.strip()}"


def _versions(versions: list[DatasetVersion]) -> Iterator[str]:
    yield "A published version never changes; its SHA-256 covers every frame, in order."
    yield "Files are read by a parser that reports what was lost; duplicates are shown."
    for version in versions:
        if version.published_at is None:
            yield f"Version {version.number} is a draft."
            continue
        text = (
            f"Version {version.number}, {version.published_at:%Y-%m-%d}: "
            f"{version.frame_count} frames, SHA-256 {version.checksum}"
        )
        split = StatedSplit.from_json(version.split)
        if split is not None:
            shares = ", ".join(f"{part} {n}" for part, n in split.counts.items())
            text += f"; split with seed {split.request.seed}: {shares}"
        if version.withdrawn_at:
            text += f"; withdrawn {version.withdrawn_at:%Y-%m-%d}: {version.withdrawn_reason}"
        yield f"{text}."


def _access(dataset: Dataset, address: str) -> Iterator[str]:
    yield f"Page: {address}"
    yield _SEEN_BY[dataset.visibility]
    if dataset.embargo_until:
        yield (
            f"Embargo: until {dataset.embargo_until:%Y-%m-%d} only the lab sees the data, "
            "even when they are public."
        )
    if dataset.licence:
        name = dict(Licence.choices)[dataset.licence]
        yield f"Licence: {name}, SPDX identifier {dataset.licence}."
    else:
        yield "Licence: not stated yet; without one, nobody else may reuse the data."
    yield "Machine access: REST API with personal tokens; any selection can be downloaded."


def _storage(dataset: Dataset) -> Iterator[str]:
    place = (
        "the portal's database"
        if isinstance(document_store(), SqlDocumentStore)
        else "the portal's database and, as JSON documents, in a MongoDB database beside it"
    )
    yield f"Frames lie in {place}, original files in its file store."
    yield "A published version can't be deleted. A withdrawn one keeps its page with the reason."
    yield "Every change is noted in an audit trail with person and time."
    if dataset.withdrawn_at:
        yield f"Withdrawn {dataset.withdrawn_at:%Y-%m-%d}: {dataset.withdrawn_reason}"
