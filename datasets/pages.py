"""Lists on pages: order from the URL, pages whose count stays quick."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import F, QuerySet
from django.http import HttpRequest

from datasets.snapshots import CatalogRows
from labs.pagination import CappedPaginator

PAGE_SIZES = (25, 50, 100)


def page_of(request: HttpRequest, rows: QuerySet | CatalogRows) -> Page:
    """Return the page that the URL asks for; nonsense in the URL gives the first page."""
    size = request.GET.get("page_size", "")
    per_page = int(size) if size in {str(s) for s in PAGE_SIZES} else PAGE_SIZES[0]
    paginator = Paginator if isinstance(rows, CatalogRows) else CappedPaginator
    return paginator(rows, per_page).get_page(request.GET.get("page"))


def ordered(
    rows: QuerySet, wanted: str | None, columns: Mapping[str, str], default: str
) -> QuerySet:
    """Order rows by a public name (``"-energy"``); unknown names give the default.

    Args:
        rows: what to order.
        wanted: from the URL.
        columns: public name → column.
        default: a public name, with its sign.
    """
    name = wanted if wanted and wanted.lstrip("-") in columns else default
    column = F(columns[name.lstrip("-")])
    descending = name.startswith("-")
    order: Any = column.desc(nulls_last=True) if descending else column.asc(nulls_last=True)
    return rows.order_by(order, "-pk" if descending else "pk")
