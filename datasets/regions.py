"""A part of a dataset's map, drawn with a lasso or a box: a polygon in the address."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Expression, F, IntegerField, Q, Value, When
from django.db.models.functions import Mod
from django.db.models.lookups import Exact
from django.utils.translation import gettext as _

from datasets.models import Dataset, DatasetSurvey, FramePlace
from labs.exceptions import Refused

MOST_CORNERS = 120
LONGEST = 4000


@dataclass(frozen=True)
class Region:
    """A polygon on a map.

    Args:
        drawn: which drawing of the map it was chosen on; another one has other places.
        corners: x and y of each, at least three.
    """

    drawn: int
    corners: tuple[tuple[float, float], ...]

    @classmethod
    def from_text(cls, text: str) -> Region:
        """Read ``3~0.5,1.2~0.7,1.2~0.7,1.5``: the drawing, then the corners.

        Raises:
            Refused: something else.
        """
        drawn, *corners = text[:LONGEST].split("~")
        try:
            points = tuple((float(x), float(y)) for x, y in (c.split(",") for c in corners))
            known = cls(int(drawn), points)
        except ValueError as error:
            raise Refused(_("region: “%s” isn't a part of a map.") % text[:40]) from error
        whole = all(math.isfinite(value) for point in points for value in point)
        if not whole or not 3 <= len(points) <= MOST_CORNERS:
            raise Refused(_("region: a part of a map has 3 to %d corners.") % MOST_CORNERS)
        return known

    def places(self, dataset: Dataset) -> Q:
        """Return the condition for frames that lie in it.

        The database counts for each place how many edges lie to its right: an odd number inside.

        Raises:
            Refused: the map was drawn anew meanwhile.
        """
        self.check(dataset)
        xs, ys = zip(*self.corners, strict=True)
        inside = FramePlace.objects.filter(
            Exact(Mod(self._crossings(), Value(2)), Value(1)),
            frame__dataset=dataset,
            x__range=(min(xs), max(xs)),
            y__range=(min(ys), max(ys)),
        )
        return Q(pk__in=inside.values("frame_id"))

    def check(self, dataset: Dataset) -> None:
        """Make sure that the map is the one on which this was chosen.

        Raises:
            Refused: it was drawn anew meanwhile.
        """
        survey = DatasetSurvey.objects.filter(dataset=dataset).first()
        if survey is None or survey.drawn != self.drawn:
            raise Refused(
                _("The map of “%s” was drawn anew since: choose the frames on it again.") % dataset
            )

    def to_text(self) -> str:
        return "~".join([str(self.drawn), *(f"{x:g},{y:g}" for x, y in self.corners)])

    def _crossings(self) -> Any:
        edges: list[Expression] = []
        for (x1, y1), (x2, y2) in itertools.pairwise((*self.corners, self.corners[0])):
            if y1 == y2:
                continue
            slope = (x2 - x1) / (y2 - y1)
            spans = Q(y__gte=min(y1, y2), y__lt=max(y1, y2))
            left = Q(x__lt=F("y") * slope + (x1 - y1 * slope))
            edges.append(
                Case(
                    When(spans & left, then=Value(1)),
                    default=Value(0),
                    output_field=IntegerField(),
                )
            )
        total: Any = edges[0] if edges else Case(default=Value(0), output_field=IntegerField())
        for edge in edges[1:]:
            total = total + edge
        return total
