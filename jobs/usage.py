"""Sums of what runs used: per lab, person, cluster and month."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.utils.translation import gettext as _

from jobs.models import Usage
from labs.models import Lab, Role
from labs.plots import bars, figure
from labs.selectors import role_in
from labs.templatetags.mlmd_tags import digits

MONTHS_SHOWN = 24
_MEASURES = ("node_hours", "core_hours", "gpu_hours")


@dataclass(frozen=True)
class UsageRow:
    """What a group of runs used.

    Args:
        month: first day of the month in which they ended.
        cluster: its name.
        person: name of the owner.
        runs: how many attempts ended.
        node_hours: nodes × hours.
        core_hours: cores × hours.
        gpu_hours: GPUs × hours.
    """

    month: datetime.date
    cluster: str
    person: str
    runs: int
    node_hours: float
    core_hours: float
    gpu_hours: float


@dataclass(frozen=True)
class UsageFilter:
    """What sums are narrowed to; empty means everything.

    Args:
        since: first month.
        cluster: its name.
        person: in the owner's name.
    """

    since: datetime.date | None = None
    cluster: str = ""
    person: str = ""


def usage_visible_to(user: Any, lab: Lab | None) -> QuerySet[Usage]:
    """Return a lab's rows: all of them for its managers, their own for everybody else in it."""
    role = role_in(user, lab)
    if role is None:
        return Usage.objects.none()
    rows = Usage.objects.filter(lab=lab)
    return rows if role == Role.MANAGER else rows.filter(owner=user)


def usage_rows(rows: QuerySet[Usage], narrow: UsageFilter) -> list[UsageRow]:
    """Return sums by month, cluster and person, the newest month first."""
    rows = narrowed(rows, narrow).order_by()
    groups = rows.values_list("month", "cluster_name", "owner__name").annotate(
        runs=Count("pk"), **{name: Sum(name) for name in _MEASURES}
    )
    return [UsageRow(*group) for group in groups.order_by("-month", "cluster_name", "owner__name")]


def narrowed(rows: QuerySet[Usage], narrow: UsageFilter) -> QuerySet[Usage]:
    """Return the rows that fit."""
    if narrow.since:
        rows = rows.filter(month__gte=narrow.since)
    if narrow.cluster:
        rows = rows.filter(cluster_name=narrow.cluster)
    if narrow.person:
        rows = rows.filter(owner__name__icontains=narrow.person)
    return rows


def usage_totals(rows: list[UsageRow]) -> dict[str, float]:
    """Return the sums over all groups."""
    return {"runs": sum(row.runs for row in rows)} | {
        name: sum(getattr(row, name) for row in rows) for name in _MEASURES
    }


def usage_figure(rows: list[UsageRow], measure: str, csv: str) -> dict[str, Any]:
    """Return the stacked bars of a measure by month, one colour a cluster.

    Args:
        rows: of `usage_rows`.
        measure: "node_hours", "core_hours" or "gpu_hours".
        csv: address of the same numbers.
    """
    titles = {
        "node_hours": _("Node-hours"),
        "core_hours": _("Core-hours"),
        "gpu_hours": _("GPU-hours"),
    }
    months = sorted({row.month for row in rows})[-MONTHS_SHOWN:]
    labels = [f"{month:%Y-%m}" for month in months]
    clusters = sorted({row.cluster for row in rows})
    sums: dict[tuple[str, datetime.date], float] = {}
    for row in rows:
        key = (row.cluster, row.month)
        sums[key] = sums.get(key, 0.0) + getattr(row, measure)
    traces = [
        bars(labels, [sums.get((cluster, month), 0.0) for month in months], cluster)
        for cluster in clusters
    ]
    total = sum(getattr(row, measure) for row in rows)
    alt = _("%(what)s by month: %(total)s in all, on %(clusters)s.") % {
        "what": titles[measure],
        "total": digits(total, 3),
        "clusters": ", ".join(clusters) or "–",
    }
    # As categories: dates would be drawn with a time of day.
    layout = {"barmode": "stack"}
    answer = figure(traces, _("month"), titles[measure], alt, csv=csv, layout=layout)
    answer["layout"]["xaxis"]["type"] = "category"
    return answer


def usage_csv(rows: list[UsageRow]) -> Iterator[str]:
    """Give the sums as lines of CSV."""
    yield "month,cluster,person,runs,node_hours,core_hours,gpu_hours\n"
    for row in rows:
        names = ",".join(_quoted(name) for name in (row.cluster, row.person))
        yield (
            f"{row.month:%Y-%m},{names},{row.runs},"
            f"{row.node_hours:.6g},{row.core_hours:.6g},{row.gpu_hours:.6g}\n"
        )


def _quoted(text: str) -> str:
    # A cell that begins like a formula would be computed by a spreadsheet.
    if text[:1] in "=+-@\t\r":
        text = "'" + text
    return '"' + text.replace('"', '""') + '"'
