"""Conditions on properties, as conditions on the frames' rows.

Each class stands for one way in which a property is kept. What a class doesn't offer is
answered with `NotSupported`, as the standard asks for its optional parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from datasets.models import Composition, CompositionShare, DatasetVersion, ElementSet
from datasets.optimade.errors import NotSupported
from datasets.optimade.relations import (
    EVERY,
    LOOKUPS,
    NONE,
    TESTS,
    constant_of,
    dashed,
    moment_of,
    number_condition,
    number_of,
    text_condition,
    text_of,
    uuid_condition,
    uuid_range,
)
from datasets.optimade.syntax import Comparator, Constant, Has, Item, Quantifier
from datasets.selectors import PublicVersion


class Column:
    """How a property is kept; this one answers nothing but that it is known."""

    def known(self, versions: list[PublicVersion]) -> Q:
        """Return the condition that the property has a value."""
        return EVERY

    def compare(self, comparator: Comparator, value: Constant, versions: list[PublicVersion]) -> Q:
        """Return the condition for ``property comparator value``."""
        raise NotSupported(_("it can't be compared."))

    def has(self, condition: Has) -> Q:
        """Return the condition on the items of a list."""
        raise NotSupported(_("HAS isn't offered for it."))

    def length(self, comparator: Comparator, value: Constant) -> Q:
        """Return the condition on the length of a list."""
        raise NotSupported(_("LENGTH isn't offered for it."))


@dataclass(frozen=True)
class Shown(Column):
    """A property that answers show and filters can't ask for."""

    def known(self, versions: list[PublicVersion]) -> Q:
        raise NotSupported(_("filters can't ask for it."))


@dataclass(frozen=True)
class Unknown(Column):
    """A property without a value in any entry."""

    def known(self, versions: list[PublicVersion]) -> Q:
        return NONE

    def compare(self, comparator: Comparator, value: Constant, versions: list[PublicVersion]) -> Q:
        return NONE

    def has(self, condition: Has) -> Q:
        return NONE

    def length(self, comparator: Comparator, value: Constant) -> Q:
        return NONE


@dataclass(frozen=True)
class Fixed(Column):
    """A text that all entries share."""

    text: str

    def compare(self, comparator: Comparator, value: Constant, versions: list[PublicVersion]) -> Q:
        return EVERY if TESTS[comparator](self.text, text_of(value)) else NONE


@dataclass(frozen=True)
class Text(Column):
    """A column of text; where it may be empty, that means unknown."""

    field: str
    may_be_empty: bool = False

    def known(self, versions: list[PublicVersion]) -> Q:
        return ~Q(**{self.field: ""}) if self.may_be_empty else EVERY

    def compare(self, comparator: Comparator, value: Constant, versions: list[PublicVersion]) -> Q:
        return text_condition(self.field, comparator, text_of(value)) & self.known(versions)


@dataclass(frozen=True)
class Number(Column):
    """A column of whole numbers or of floats."""

    field: str
    whole: bool = False

    def known(self, versions: list[PublicVersion]) -> Q:
        return EVERY if self.whole else Q(**{f"{self.field}__isnull": False})

    def compare(self, comparator: Comparator, value: Constant, versions: list[PublicVersion]) -> Q:
        return number_condition(self.field, comparator, value, self.whole) & self.known(versions)


@dataclass(frozen=True)
class Truth(Column):
    """A column of booleans."""

    field: str

    def known(self, versions: list[PublicVersion]) -> Q:
        return Q(**{f"{self.field}__isnull": False})

    def compare(self, comparator: Comparator, value: Constant, versions: list[PublicVersion]) -> Q:
        if not isinstance(value, bool) or not comparator.is_equality:
            raise NotSupported(_("it is TRUE or FALSE: only = and != with one of them fit."))
        wanted = value if comparator is Comparator.EQ else not value
        return Q(**{self.field: wanted})


@dataclass(frozen=True)
class Identifier(Column):
    """A UUID, compared as the text that the answer shows."""

    field: str

    def compare(self, comparator: Comparator, value: Constant, versions: list[PublicVersion]) -> Q:
        text = text_of(value)
        if comparator.is_equality:
            condition = uuid_condition(self.field, text)
            return condition if comparator is Comparator.EQ else ~condition
        condition = uuid_range(self.field, comparator, text)
        return condition or text_condition(dashed(self.field), comparator, text)


@dataclass(frozen=True)
class Formula(Column):
    """A formula that follows from `Frame.formula`."""

    field: str

    def compare(self, comparator: Comparator, value: Constant, versions: list[PublicVersion]) -> Q:
        condition = text_condition(self.field, comparator, text_of(value))
        return Q(formula__in=Composition.objects.filter(condition).values("formula"))


@dataclass(frozen=True)
class OfVersion(Column):
    """A property of the dataset's version; versions are few and at hand."""

    value_of: Callable[[PublicVersion], Any]
    kind: type

    def known(self, versions: list[PublicVersion]) -> Q:
        return self._datasets(versions, lambda v: True)

    def compare(self, comparator: Comparator, value: Constant, versions: list[PublicVersion]) -> Q:
        wanted = text_of(value) if self.kind is str else number_of(value)
        if self.kind is not str and comparator.is_substring:
            raise NotSupported(_("it is a number."))
        return self._datasets(versions, lambda v: TESTS[comparator](v, wanted))

    def _datasets(self, versions: list[PublicVersion], test: Callable[[Any], bool]) -> Q:
        values = ((v.dataset_id, self.value_of(v)) for v in versions)
        return Q(dataset_id__in=[pk for pk, value in values if value != "" and test(value)])


@dataclass(frozen=True)
class PublishedAt(Column):
    """When the version that brought the frame was published."""

    def compare(self, comparator: Comparator, value: Constant, versions: list[PublicVersion]) -> Q:
        if comparator.is_substring:
            raise NotSupported(_("it is a time."))
        moment = moment_of(text_of(value))
        field, equal = "published_at", comparator.is_equality
        lookup = "exact" if equal else LOOKUPS[comparator]
        bringing = DatasetVersion.objects.filter(
            dataset=OuterRef("dataset"),
            number=OuterRef("added_in"),
            **{f"{field}__{lookup}": moment},
        )
        found = Q(Exists(bringing))
        return ~found if comparator is Comparator.NE else found


@dataclass(frozen=True)
class Sized(Column):
    """A list that only its length is known of: that of a column, or a fixed one."""

    size: str | int
    present: Q = EVERY

    def known(self, versions: list[PublicVersion]) -> Q:
        return self.present

    def length(self, comparator: Comparator, value: Constant) -> Q:
        if comparator.is_substring:
            raise NotSupported(_("a length is a number."))
        if isinstance(self.size, int):
            fits = TESTS[comparator](self.size, number_of(value))
            return self.present if fits else NONE
        return number_condition(self.size, comparator, value, whole=True) & self.present


@dataclass(frozen=True)
class Empty(Sized):
    """A list without items in all entries."""

    def has(self, condition: Has) -> Q:
        for row in condition.rows:
            text_of(constant_of(row[0]))
        return EVERY if condition.quantifier is Quantifier.ONLY else NONE


@dataclass(frozen=True)
class Elements(Sized):
    """Chemical symbols; combinations of them are few, so they are looked at one by one."""

    def has(self, condition: Has) -> Q:
        tests = [(row[0].comparator, text_of(constant_of(row[0]))) for row in condition.rows]
        keys = [
            key
            for key in ElementSet.objects.values_list("key", flat=True)
            if _fits([e for e in key.split("|") if e], condition.quantifier, tests)
        ]
        return Q(elements_key__in=keys)


@dataclass(frozen=True)
class Ratios(Sized):
    """Shares of the elements, alone or side by side with the elements."""

    def has(self, condition: Has) -> Q:
        rows = [self._row(condition.names, row) for row in condition.rows]
        shares = CompositionShare.objects.filter(composition=OuterRef("pk"))
        some = Q()
        every = Q()
        for row in rows:
            some |= row
            every &= Q(Exists(shares.filter(row)))
        fitting = {
            Quantifier.ALL: every,
            Quantifier.ANY: Q(Exists(shares.filter(some))),
            Quantifier.ONLY: ~Q(Exists(shares.filter(~some))),
        }[condition.quantifier]
        return Q(formula__in=Composition.objects.filter(fitting).values("formula"))

    def _row(self, names: tuple[str, ...], row: tuple[Item, ...]) -> Q:
        condition = Q()
        for name, item in zip(names, row, strict=True):
            value = constant_of(item)
            if name == "elements":
                condition &= text_condition("element", item.comparator, text_of(value))
            else:
                condition &= number_condition("ratio", item.comparator, value)
        return condition


def _fits(symbols: list[str], quantifier: Quantifier, tests: list[tuple[Comparator, str]]) -> bool:
    def found(symbol: str) -> bool:
        return any(TESTS[comparator](symbol, text) for comparator, text in tests)

    if quantifier is Quantifier.ANY:
        return any(map(found, symbols))
    if quantifier is Quantifier.ONLY:
        return all(map(found, symbols))
    return all(any(TESTS[c](symbol, text) for symbol in symbols) for c, text in tests)
