"""How a published version is cited: one line, BibTeX, and DataCite metadata ready for a DOI."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from datasets.credits import Author, authors_from_json
from datasets.models import DatasetVersion, Licence

_TEX = {"\\": r"\textbackslash{}", **{c: "\\" + c for c in "&%$#_{}"}, "~": r"\~{}", "^": r"\^{}"}


@dataclass(frozen=True)
class CitationFile:
    """A way to write a citation.

    Args:
        label: what the button says.
        suffix: end of the file's name.
        content_type: MIME type.
        write: version, address of its page → text or JSON.
    """

    label: str
    suffix: str
    content_type: str
    write: Callable[[DatasetVersion, str], Any]


def version_authors(version: DatasetVersion) -> tuple[Author, ...]:
    """Return the authors as published; the dataset's owner where none were named."""
    listed = authors_from_json(version.authors)
    owner = version.dataset.owner
    return listed or (Author(owner.name or owner.email),)


def citation_line(version: DatasetVersion) -> str:
    """Return one line that names the version for a reference list (not translated)."""
    licence = f" Licence: {version.licence}." if version.licence else ""
    names = "; ".join(author.name for author in version_authors(version))
    return (
        f"{names} ({version.published_at:%Y}): "
        f"{version.title or version.dataset.name}, version {version.number}, "
        f"{version.frame_count} frames. "
        f"{version.dataset.lab.name}.{licence} SHA-256 {version.checksum}"
    )


def bibtex(version: DatasetVersion, address: str) -> str:
    """Return a ``@misc`` entry, which every BibTeX style knows."""
    title = version.title or version.dataset.name
    authors = version_authors(version)
    fields = {
        "author": " and ".join(
            f"{{{_tex(a.name)}}}" if "," not in a.name else _tex(a.name) for a in authors
        ),
        "title": f"{{{_tex(title)}}}",
        "year": f"{version.published_at:%Y}",
        "month": f"{version.published_at:%m}".lstrip("0"),
        "version": str(version.number),
        "publisher": _tex(version.dataset.lab.name),
        "howpublished": "Data set",
        "url": address,
        "note": _tex(_note(version)),
    }
    first = re.sub(r"\W", "", authors[0].name.split(",")[0].split()[-1] if authors[0].name else "")
    key = f"{first or 'data'}{version.published_at:%Y}v{version.number}"
    body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{{key},\n{body}\n}}\n"


def datacite(version: DatasetVersion, address: str) -> dict[str, Any]:
    """Return DataCite metadata (schema 4), to be posted to DataCite once a DOI is chosen."""
    dataset = version.dataset
    attributes: dict[str, Any] = {
        "schemaVersion": "http://datacite.org/schema/kernel-4",
        "url": address,
        "creators": [_creator(author) for author in version_authors(version)],
        "titles": [{"title": version.title or dataset.name}],
        "publisher": {"name": dataset.lab.name},
        "publicationYear": version.published_at.year if version.published_at else None,
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Atomistic simulation data"},
        "version": str(version.number),
        "language": "en",
        "dates": [{"date": f"{version.published_at:%Y-%m-%d}", "dateType": "Issued"}],
        "subjects": [{"subject": word} for word in (*dataset.tags, *version.elements)],
        "sizes": [f"{version.frame_count} frames"],
        "formats": ["extxyz", "n2p2", "application/jsonl"],
        "alternateIdentifiers": [
            {
                "alternateIdentifier": str(version.public_id),
                "alternateIdentifierType": "UUID of the version",
            },
            {"alternateIdentifier": version.checksum, "alternateIdentifierType": "SHA-256"},
        ],
    }
    if dataset.description:
        attributes["descriptions"] = [
            {"description": dataset.description, "descriptionType": "Abstract"}
        ]
    if version.licence:
        attributes["rightsList"] = [_rights(version.licence)]
    if dataset.embargo_until:
        attributes["dates"].append(
            {"date": f"{dataset.embargo_until:%Y-%m-%d}", "dateType": "Available"}
        )
    if version.withdrawn_at:
        attributes["dates"].append(
            {
                "date": f"{version.withdrawn_at:%Y-%m-%d}",
                "dateType": "Withdrawn",
                "dateInformation": version.withdrawn_reason,
            }
        )
    if grants := [line.strip() for line in version.funding.splitlines() if line.strip()]:
        attributes["fundingReferences"] = [{"funderName": line} for line in grants]
    return {"data": {"type": "dois", "attributes": attributes}}


CITATION_FILES: Mapping[str, CitationFile] = {
    "bibtex": CitationFile("BibTeX", ".bib", "application/x-bibtex; charset=utf-8", bibtex),
    "datacite": CitationFile("DataCite JSON", ".json", "application/json", datacite),
}


def _creator(author: Author) -> dict[str, Any]:
    found: dict[str, Any] = {"name": author.name, "nameType": "Personal"}
    if "," in author.name:
        family, given = (part.strip() for part in author.name.split(",", 1))
        found |= {"familyName": family, "givenName": given}
    if author.orcid:
        found["nameIdentifiers"] = [
            {
                "nameIdentifier": f"https://orcid.org/{author.orcid}",
                "nameIdentifierScheme": "ORCID",
                "schemeUri": "https://orcid.org",
            }
        ]
    if author.affiliation:
        found["affiliation"] = [{"name": author.affiliation}]
    return found


def _rights(licence: str) -> dict[str, str]:
    return {
        "rights": str(dict(Licence.choices).get(licence, licence)),
        "rightsIdentifier": licence.lower(),
        "rightsIdentifierScheme": "SPDX",
        "schemeUri": "https://spdx.org/licenses/",
        "rightsUri": f"https://spdx.org/licenses/{licence}.html",
    }


def _note(version: DatasetVersion) -> str:
    words = [f"{version.frame_count} frames", f"SHA-256 {version.checksum}"]
    if version.licence:
        words.insert(1, f"licence {version.licence}")
    if version.withdrawn_at:
        words.append(f"withdrawn {version.withdrawn_at:%Y-%m-%d}: {version.withdrawn_reason}")
    return ", ".join(words)


def _tex(text: str) -> str:
    return "".join(_TEX.get(c, c) for c in text)
