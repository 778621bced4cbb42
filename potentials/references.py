"""Where a potential from elsewhere comes from: a DOI or an address."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from labs.exceptions import Refused

_DOI = re.compile(r"10\.\d{4,9}/\S+")
_PREFIX = re.compile(r"^(?:doi:\s*|https?://(?:dx\.)?doi\.org/)", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://[^\s/]+\S*")
MOST_LETTERS = 300


def source_cleaned(text: str) -> str:
    """Return a DOI without its prefix, or an address; empty for nothing.

    Raises:
        Refused: it is neither.
    """
    plain = _PREFIX.sub("", text.strip())
    is_known = _DOI.fullmatch(plain) or _ADDRESS.fullmatch(plain)
    if plain and (not is_known or len(plain) > MOST_LETTERS):
        raise Refused(
            _("“%(text)s” is neither a DOI (10.1063/1.3553717) nor an address (https://…).")
            % {"text": plain[:80]}
        )
    return plain


def source_address(source: str) -> str:
    """Return the address that a cleaned source leads to."""
    return f"https://doi.org/{source}" if _DOI.fullmatch(source) else source
