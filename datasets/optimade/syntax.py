"""What a filter says, as a tree; see the appendix on the filter language of OPTIMADE 1.2."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Comparator(StrEnum):
    """Relations between a property and a value."""

    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    CONTAINS = "CONTAINS"
    STARTS = "STARTS"
    ENDS = "ENDS"

    @property
    def is_substring(self) -> bool:
        return self in {Comparator.CONTAINS, Comparator.STARTS, Comparator.ENDS}

    @property
    def is_equality(self) -> bool:
        return self in {Comparator.EQ, Comparator.NE}


MIRRORED = {
    Comparator.EQ: Comparator.EQ,
    Comparator.NE: Comparator.NE,
    Comparator.LT: Comparator.GT,
    Comparator.LE: Comparator.GE,
    Comparator.GT: Comparator.LT,
    Comparator.GE: Comparator.LE,
}
"""``3 < nsites`` means ``nsites > 3``."""


class Quantifier(StrEnum):
    """How many items of a list must fit; HAS alone is ALL of one item."""

    ALL = "ALL"
    ANY = "ANY"
    ONLY = "ONLY"


@dataclass(frozen=True)
class Property:
    """The name of a property, with dots where it is nested."""

    name: str


Constant = str | int | float | bool
Value = Constant | Property


@dataclass(frozen=True)
class Item:
    """One condition on an item of a list; ``"Si"`` alone means ``= "Si"``."""

    comparator: Comparator
    value: Value


@dataclass(frozen=True)
class Comparison:
    """``property comparator value``."""

    name: str
    comparator: Comparator
    value: Value


@dataclass(frozen=True)
class Known:
    """``property IS KNOWN``, or ``IS UNKNOWN``."""

    name: str
    known: bool


@dataclass(frozen=True)
class Bare:
    """A property alone: true for a boolean one, known for any other."""

    name: str


@dataclass(frozen=True)
class Has:
    """``names[0]:names[1]:… HAS quantifier rows``; each row has one item per name."""

    names: tuple[str, ...]
    quantifier: Quantifier
    rows: tuple[tuple[Item, ...], ...]


@dataclass(frozen=True)
class Length:
    """``property LENGTH comparator value``."""

    name: str
    comparator: Comparator
    value: Value


@dataclass(frozen=True)
class Not:
    """True where its part is false."""

    part: Expression


@dataclass(frozen=True)
class And:
    """True where all its parts are."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True)
class Or:
    """True where one of its parts is."""

    parts: tuple[Expression, ...]


Expression = Comparison | Known | Bare | Has | Length | Not | And | Or
