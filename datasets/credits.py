"""Whom to thank for a dataset: authors with their ORCID, funding, and until when it stays closed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from labs.exceptions import Refused

MOST_AUTHORS = 100
_ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dXx])/?")


@dataclass(frozen=True)
class Author:
    """A person who made data.

    Args:
        name: as it is cited, best “Family, Given”.
        orcid: sixteen digits in groups of four, or empty.
        affiliation: institution, or empty.
    """

    name: str
    orcid: str = ""
    affiliation: str = ""

    @property
    def cited(self) -> str:
        """Return the name, with the ORCID's address where there is one."""
        return f"{self.name} (https://orcid.org/{self.orcid})" if self.orcid else self.name

    @property
    def line(self) -> str:
        """The line of the form that gives this author."""
        return "; ".join((self.name, self.orcid, self.affiliation)).rstrip("; ")


@dataclass(frozen=True)
class Credits:
    """What is said of the making of a dataset.

    Args:
        authors: in the order of citation.
        funding: free text, one grant a line.
        embargo_until: first day on which a public dataset is open to everyone; None is at once.
    """

    authors: tuple[Author, ...] = ()
    funding: str = ""
    embargo_until: date | None = None


def authors_parse(text: str) -> tuple[Author, ...]:
    """Read one author a line: ``Family, Given; ORCID; affiliation``, the last two optional.

    Raises:
        Refused: no name, a wrong ORCID, or too many.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    parts = [[part.strip() for part in line.split(";", 2)] for line in lines]
    return authors_check(Author(name, *(_rest(others))) for name, *others in parts)


def _rest(others: list[str]) -> tuple[str, str]:
    """Return ORCID and affiliation; a second part that is no ORCID is an affiliation."""
    first, second = ([*others, "", ""])[:2]
    if first and not second and not re.match(r"(https?://orcid|[\d-]{4})", first):
        return "", first
    return first, second


def authors_check(authors: Iterable[Author]) -> tuple[Author, ...]:
    """Return authors with their ORCIDs in standard form.

    Raises:
        Refused: as `authors_parse`.
    """
    checked = []
    for number, author in enumerate(authors, 1):
        name = " ".join(author.name.split())[:200]
        if not name:
            raise Refused(_("Author %d has no name. Write “Family, Given; ORCID”.") % number)
        checked.append(
            Author(name, orcid_check(author.orcid), " ".join(author.affiliation.split())[:300])
        )
    if len(checked) > MOST_AUTHORS:
        raise Refused(
            _("%(count)d authors are too many; at most %(most)d can be listed.")
            % {"count": len(checked), "most": MOST_AUTHORS}
        )
    return tuple(checked)


def orcid_check(text: str) -> str:
    """Return an ORCID as ``0000-0002-1825-0097``; empty stays empty.

    Raises:
        Refused: not of that form, or its last digit doesn't fit (ISO 7064, MOD 11-2).
    """
    if not text.strip():
        return ""
    found = _ORCID.fullmatch(text.strip())
    if found is None:
        raise Refused(
            _("“%s” isn't an ORCID; expected four groups of four, like 0000-0002-1825-0097.")
            % text.strip()[:60]
        )
    orcid = found.group(1).upper()
    total = 0
    for digit in orcid.replace("-", "")[:-1]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    if orcid[-1] != ("X" if check == 10 else str(check)):
        raise Refused(_("The ORCID %s has a typing error: its check digit doesn't fit.") % orcid)
    return orcid


def authors_to_json(authors: Iterable[Author]) -> list[dict[str, str]]:
    return [asdict(author) for author in authors]


def authors_from_json(values: Iterable[Mapping[str, Any]]) -> tuple[Author, ...]:
    return tuple(
        Author(v.get("name", ""), v.get("orcid", ""), v.get("affiliation", "")) for v in values
    )
