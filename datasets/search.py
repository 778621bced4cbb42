"""Searching small lists (structures, datasets) by words and elements."""

from __future__ import annotations

from functools import reduce
from operator import and_, or_
from typing import Any

from django.db.models import Q

from datasets.filters import parse_elements


def by_words(rows: Any, text: str, *columns: str) -> Any:
    """Return rows that hold every word of the text in one of the columns."""
    for word in text.split():
        rows = rows.filter(reduce(or_, (Q(**{f"{c}__icontains": word}) for c in columns)))
    return rows


def by_elements(rows: Any, text: str, mode: str) -> Any:
    """Return rows whose `elements_key` fits.

    Raises:
        Refused: a word that is no chemical symbol.
    """
    elements = parse_elements(text)
    if not elements:
        return rows
    holds = [Q(elements_key__contains=f"|{element}|") for element in elements]
    if mode == "any":
        return rows.filter(reduce(or_, holds))
    if mode == "only":
        wanted = set(elements)
        keys = rows.order_by().values_list("elements_key", flat=True).distinct()
        fitting = [key for key in keys if {e for e in key.split("|") if e} <= wanted]
        return rows.filter(elements_key__in=fitting)
    return rows.filter(reduce(and_, holds))
