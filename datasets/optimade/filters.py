"""Filters to conditions on the frames' rows.

A comparison with an unknown value never matches, and neither does its negation. Negations are
therefore pushed down to the single comparisons, where “known, and not so” can be said.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import and_, or_

from django.db.models import Q
from django.utils.translation import gettext as _

from datasets.optimade.columns import Column, Ratios, Unknown
from datasets.optimade.errors import BadRequest, NotSupported
from datasets.optimade.parser import parse_filter
from datasets.optimade.properties import PREFIX, PROPERTIES, WITHOUT_VALUE
from datasets.optimade.relations import NONE
from datasets.optimade.syntax import (
    And,
    Bare,
    Comparator,
    Comparison,
    Expression,
    Has,
    Known,
    Length,
    Not,
    Or,
    Property,
)
from datasets.selectors import PublicVersion

ENTRY_TYPES = ("structures", "references", "calculations", "trajectories", "files")


class FrameFilter:
    """A filter, read and ready to be asked.

    Args:
        text: as in the address.
        versions: what the world may see.

    Attributes:
        condition: on the rows of `datasets.models.Frame`.
        foreign: names of other providers' properties, which count as unknown.

    Raises:
        OptimadeError: the filter can't be read, names what doesn't exist, or asks for
            something optional that isn't offered.
    """

    def __init__(self, text: str, versions: list[PublicVersion]) -> None:
        self.foreign: list[str] = []
        self._versions = versions
        self.condition = self._condition(parse_filter(text), False)

    def _condition(self, expression: Expression, negated: bool) -> Q:
        match expression:
            case Not(part):
                return self._condition(part, not negated)
            case And(parts) | Or(parts):
                join = and_ if isinstance(expression, And) != negated else or_
                return reduce(join, (self._condition(part, negated) for part in parts))
            case Known(name, known):
                return self._known(name, known != negated)
            case Bare(name):
                return self._bare(name, negated)
            case Comparison(name, comparator, value):
                if isinstance(value, Property):
                    raise NotSupported(_("Two properties can't be compared; name a value."))
                return self._leaf(
                    name, negated, lambda c: c.compare(comparator, value, self._versions)
                )
            case Length(name, comparator, value):
                if isinstance(value, Property):
                    raise NotSupported(_("Two properties can't be compared; name a value."))
                return self._leaf(name, negated, lambda c: c.length(comparator, value))
        return self._has(expression, negated)

    def _leaf(self, name: str, negated: bool, ask: Callable[[Column], Q]) -> Q:
        column = self._column(name)
        condition = _named(name, lambda: ask(column))
        return column.known(self._versions) & ~condition if negated else condition

    def _known(self, name: str, known: bool) -> Q:
        column = self._column(name)
        condition = _named(name, lambda: column.known(self._versions))
        return condition if known else ~condition

    def _bare(self, name: str, negated: bool) -> Q:
        if name in PROPERTIES and PROPERTIES[name].kind == "boolean":
            return self._condition(Comparison(name, Comparator.EQ, True), negated)
        return self._known(name, not negated)

    def _has(self, condition: Has, negated: bool) -> Q:
        columns = [self._column(name) for name in condition.names]
        if any(isinstance(column, Unknown) for column in columns):
            return NONE
        if len(columns) == 1:
            return self._leaf(condition.names[0], negated, lambda c: c.has(condition))
        if not set(condition.names) <= {"elements", "elements_ratios"}:
            raise NotSupported(
                _("%s: only elements and elements_ratios can be asked side by side.")
                % ":".join(condition.names)
            )
        both = Ratios("n_elements")
        found = _named(":".join(condition.names), lambda: both.has(condition))
        return ~found if negated else found

    def _column(self, name: str) -> Column:
        if name in PROPERTIES:
            return PROPERTIES[name].column
        if name in WITHOUT_VALUE:
            return Unknown()
        first = name.split(".")[0]
        if first in ENTRY_TYPES or (first != name and first in PROPERTIES):
            raise NotSupported(_("%s: parts of a property can't be asked for.") % name)
        if name.startswith("_") and not name.startswith(PREFIX):
            if name not in self.foreign:
                self.foreign.append(name)
            return Unknown()
        raise BadRequest(
            _("There is no property %s; /info/structures lists what can be asked.") % name[:80]
        )


def _named(name: str, ask: Callable[[], Q]) -> Q:
    """Say of which property a complaint is."""
    try:
        return ask()
    except (NotSupported, BadRequest) as error:
        raise type(error)(f"{name}: {error}") from error
