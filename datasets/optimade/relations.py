"""Single relations, such as ``text CONTAINS "x"``, as conditions of the database."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import CharField, F, Q, Value
from django.db.models.functions import Cast, Concat, Left, Right, StrIndex, Substr
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
)
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from datasets.optimade.errors import BadRequest, NotSupported
from datasets.optimade.syntax import Comparator, Constant, Item

EVERY = Q(pk__isnull=False)
NONE = Q(pk__in=())
LOOKUPS = {
    Comparator.EQ: "exact",
    Comparator.LT: "lt",
    Comparator.LE: "lte",
    Comparator.GT: "gt",
    Comparator.GE: "gte",
}
_ORDER = {
    Comparator.LT: LessThan,
    Comparator.LE: LessThanOrEqual,
    Comparator.GT: GreaterThan,
    Comparator.GE: GreaterThanOrEqual,
}
TESTS: dict[Comparator, Callable[[Any, Any], bool]] = {
    Comparator.EQ: lambda a, b: a == b,
    Comparator.NE: lambda a, b: a != b,
    Comparator.LT: lambda a, b: a < b,
    Comparator.LE: lambda a, b: a <= b,
    Comparator.GT: lambda a, b: a > b,
    Comparator.GE: lambda a, b: a >= b,
    Comparator.CONTAINS: lambda a, b: b in a,
    Comparator.STARTS: lambda a, b: a.startswith(b),
    Comparator.ENDS: lambda a, b: a.endswith(b),
}


def text_condition(field: Any, comparator: Comparator, text: str) -> Q:
    """Return a condition on a text, letters' case and all.

    Args:
        field: name of a column, or an expression.
        comparator: how they compare.
        text: what with.
    """
    # Django's `contains` ignores the case on SQLite, so positions are asked for instead.
    column = F(field) if isinstance(field, str) else field
    wanted = Value(text, output_field=CharField())
    if comparator.is_substring and not text:
        return EVERY
    match comparator:
        case Comparator.CONTAINS:
            return Q(GreaterThan(StrIndex(column, wanted), 0))
        case Comparator.STARTS:
            return Q(Exact(Left(column, len(text)), wanted))
        case Comparator.ENDS:
            return Q(Exact(Right(column, len(text)), wanted))
        case Comparator.EQ:
            return Q(Exact(column, wanted))
        case Comparator.NE:
            return ~Q(Exact(column, wanted))
    return Q(_ORDER[comparator](column, wanted))


def number_condition(field: str, comparator: Comparator, value: Constant, whole: bool = False) -> Q:
    """Return a condition on a number; a whole one never equals a fraction."""
    if comparator.is_substring:
        raise NotSupported(_("it is a number."))
    number = number_of(value)
    if comparator.is_equality:
        equal = NONE if whole and number != int(number) else Q(**{field: number})
        return equal if comparator is Comparator.EQ else ~equal
    return Q(**{f"{field}__{LOOKUPS[comparator]}": number})


def dashed(field: str) -> Any:
    """Return the UUID as text with dashes; SQLite keeps the digits alone, PostgreSQL a UUID."""
    text = Cast(field, CharField())
    if connection.vendor == "postgresql":
        return text
    cuts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    parts: list[Any] = []
    for start, length in cuts:
        parts += [Value("-")] * bool(parts) + [Substr(text, start, length)]
    return Concat(*parts, output_field=CharField())


def uuid_condition(field: str, text: str) -> Q:
    try:
        number = UUID(text)
    except ValueError:
        return NONE
    return Q(**{field: number}) if str(number) == text else NONE


def uuid_range(field: str, comparator: Comparator, text: str) -> Q | None:
    """Return a condition that the index answers, None where only the text as such can.

    The text must be the beginning of a UUID: those that begin with it lie side by side.
    """
    digits = text.replace("-", "")
    if not re.fullmatch(r"[0-9a-f]{1,32}", digits):
        return None
    first, last = (UUID(digits.ljust(32, fill)) for fill in "0f")
    if not str(first).startswith(text):
        return None
    below, whole = Q(**{f"{field}__lt": first}), len(digits) == 32
    match comparator:
        case Comparator.STARTS:
            return ~below & Q(**{f"{field}__lte": last})
        case Comparator.LT | Comparator.GE:
            return below if comparator is Comparator.LT else ~below
        case Comparator.LE | Comparator.GT:
            # What begins with a part of a UUID is greater than the part.
            up_to = Q(**{f"{field}__lte": first}) if whole else below
            return up_to if comparator is Comparator.LE else ~up_to
    return None


def constant_of(item: Item) -> Constant:
    if not isinstance(item.value, str | int | float):
        raise NotSupported(_("two properties can't be compared."))
    return item.value


def text_of(value: Constant) -> str:
    if not isinstance(value, str):
        raise NotSupported(_("it is text: the value must stand in double quotes."))
    return value


def number_of(value: Constant) -> int | float:
    if isinstance(value, bool | str):
        raise NotSupported(_("it is a number: the value must be one, without quotes."))
    return value


def moment_of(text: str) -> datetime:
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or "T" not in text.upper():
        raise BadRequest(
            _("“%s” is no time; expected for example 2026-01-31T09:30:00Z.") % text[:40]
        )
    return moment
