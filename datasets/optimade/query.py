"""What an address asks for, besides its filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from datasets.optimade.errors import BadRequest, NotSupported, TooMuch
from datasets.optimade.properties import PREFIX, PROPERTIES, SORTABLE, WITHOUT_VALUE

DEFAULT_LIMIT = 20
LARGEST_LIMIT = 200
LARGEST_OFFSET = 10_000_000

EVERYWHERE = {"response_format", "email_address", "api_hint"}
ENTRIES = EVERYWHERE | {"response_fields", "include", "dimension_slices", "property_ranges"}
LISTING = ENTRIES | {"filter", "sort", "page_limit", "page_offset", "page_above"}


@dataclass(frozen=True)
class ListingQuery:
    """What is asked of the list of entries.

    Args:
        filter: text of the filter, or empty.
        fields: properties asked for by name, None for the usual ones.
        order: columns to sort by, ``-`` before those that descend.
        limit: most entries of a page.
        offset: entries to pass over.
        above: entries after this one only.
        foreign: names of other providers' properties among the fields.
    """

    filter: str
    fields: tuple[str, ...] | None
    order: tuple[str, ...]
    limit: int
    offset: int
    above: UUID | None
    foreign: tuple[str, ...]


def listing_query(query: Any) -> ListingQuery:
    """Read the address of a list of entries.

    Raises:
        OptimadeError: a parameter that doesn't exist, or a value that can't be used.
    """
    parameters_check(query, LISTING)
    fields, foreign = response_fields(query)
    order = _order(query.get("sort", ""))
    above = _above(query.get("page_above"))
    if above is not None and order:
        raise BadRequest(_("page_above goes with the order of arrival; leave out sort."))
    limit = _whole(query, "page_limit", DEFAULT_LIMIT)
    if limit > LARGEST_LIMIT:
        raise TooMuch(
            _("page_limit is %(found)d; this site gives %(most)d entries at most.")
            % {"found": limit, "most": LARGEST_LIMIT}
        )
    text = query.get("filter", "")
    if "\x00" in text:
        raise BadRequest(_("The filter holds a character that no value may have."))
    offset = _whole(query, "page_offset", 0)
    return ListingQuery(text.strip(), fields, order, limit, offset, above, foreign)


def parameters_check(query: Any, known: set[str]) -> None:
    """Refuse parameters that don't exist; those of other providers are passed over.

    Raises:
        OptimadeError: one that doesn't exist, or a value of a common one that isn't offered.
    """
    for name in query:
        if name not in known and (not name.startswith("_") or name.startswith(PREFIX)):
            raise BadRequest(
                _("There is no parameter %(name)s here; expected one of %(known)s.")
                % {"name": name[:80], "known": ", ".join(sorted(known))}
            )
    common_check(query)


def common_check(query: Any) -> None:
    """Check the parameters that every answer takes.

    Raises:
        OptimadeError: a value that isn't offered.
    """
    if query.get("response_format", "json") not in {"", "json"}:
        raise BadRequest(
            _("response_format: “%s” isn't offered; only json is.") % query["response_format"][:40]
        )
    if query.get("include", "references") not in {"", "references"}:
        raise BadRequest(_("include: only references can be named, and frames have none."))
    for name in ("dimension_slices", "property_ranges"):
        if query.get(name):
            raise NotSupported(_("%s isn't offered; ask for the whole property.") % name)


def response_fields(query: Any) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Return the properties asked for, None for the usual ones, and those of other providers.

    Raises:
        BadRequest: a property that doesn't exist.
    """
    names = [name for name in query.get("response_fields", "").split(",") if name]
    if not names:
        return None, ()
    foreign = [n for n in names if n.startswith("_") and not n.startswith(PREFIX)]
    known = PROPERTIES.keys() | WITHOUT_VALUE | set(foreign)
    for name in names:
        if name not in known:
            raise BadRequest(
                _("response_fields: there is no property %s; /info/structures lists them.")
                % name[:80]
            )
    return tuple(dict.fromkeys(names)), tuple(dict.fromkeys(foreign))


def _order(text: str) -> tuple[str, ...]:
    order = []
    for word in filter(None, text.split(",")):
        name = word.removeprefix("-")
        if name not in SORTABLE:
            raise BadRequest(
                _("sort: %(name)s isn't offered; expected one of %(known)s.")
                % {"name": name[:80], "known": ", ".join(sorted(SORTABLE))}
            )
        order.append(("-" if word.startswith("-") else "") + SORTABLE[name])
    return tuple(order)


def _above(text: str | None) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        raise BadRequest(_("page_above: “%s” is no id of an entry.") % text[:40]) from error


def _whole(query: Any, name: str, default: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and int(text[:12]) <= LARGEST_OFFSET):
        raise BadRequest(
            _("%(name)s: “%(found)s” isn't possible; expected a whole number from 0 to %(most)d.")
            % {"name": name, "found": text[:40], "most": LARGEST_OFFSET}
        )
    return int(text[:12])
