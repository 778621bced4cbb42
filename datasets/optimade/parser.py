"""Filters as text to their tree: a recursive descent along the grammar of OPTIMADE 1.2."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.utils.translation import gettext as _

from datasets.optimade.errors import BadRequest, NotSupported
from datasets.optimade.syntax import (
    MIRRORED,
    And,
    Bare,
    Comparator,
    Comparison,
    Constant,
    Expression,
    Has,
    Item,
    Known,
    Length,
    Not,
    Or,
    Property,
    Quantifier,
    Value,
)

LONGEST = 16_000
DEEPEST = 50
MOST_TOKENS = 3000
LARGEST_INTEGER = 2**63 - 1

_TOKEN = re.compile(
    r"""[ \t\n\r\v\f]*(?:
        (?P<string>"(?:[^"\\]|\\["\\])*")
      | (?P<number>[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
      | (?P<name>[a-z_][a-z_0-9]*)
      | (?P<word>AND|OR|NOT|IS|KNOWN|UNKNOWN|CONTAINS|STARTS|ENDS|WITH|LENGTH|HAS|ALL|ANY|ONLY
            |TRUE|FALSE)
      | (?P<operator>!=|<=|>=|<|>|=)
      | (?P<mark>[(),:.])
    )""",
    re.VERBOSE,
)
_SUBSTRING = {"CONTAINS", "STARTS", "ENDS"}


@dataclass(frozen=True)
class Token:
    """One word of a filter and where it starts."""

    kind: str
    text: str
    at: int


def parse_filter(text: str) -> Expression:
    """Return the tree of a filter.

    Raises:
        BadRequest: it doesn't follow the grammar; says where.
        NotSupported: a number that no column can hold.
    """
    if len(text) > LONGEST:
        raise BadRequest(
            _("The filter has %(length)d characters; at most %(most)d are read.")
            % {"length": len(text), "most": LONGEST}
        )
    return _Parser(text).whole()


def _tokens(text: str) -> list[Token]:
    found, at, end = [], 0, len(text.rstrip(" \t\n\r\v\f"))
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise _wrong(text, at, _("a property, a value, an operator or a parenthesis"))
        kind = str(match.lastgroup)
        found.append(Token(kind, match.group(kind), match.start(kind)))
        at = match.end()
    if len(found) > MOST_TOKENS:
        raise BadRequest(_("The filter is too long; at most %d words are read.") % MOST_TOKENS)
    return [*found, Token("end", "", len(text))]


def _wrong(text: str, at: int, expected: str) -> BadRequest:
    rest = text[at:].strip()[:20]
    return BadRequest(
        _("filter, character %(at)d: found %(found)s, expected %(expected)s.")
        % {"at": at + 1, "found": f"“{rest}”" if rest else _("the end"), "expected": expected}
    )


class _Parser:
    """Reads tokens from left to right; each method is one rule of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.position = 0
        self.depth = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.position]

    def whole(self) -> Expression:
        expression = self.expression()
        if self.next.kind != "end":
            raise self.wrong(_("AND, OR or the end"))
        return expression

    def expression(self) -> Expression:
        parts = [self.clause()]
        while self.take("OR"):
            parts.append(self.clause())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def clause(self) -> Expression:
        parts = [self.phrase()]
        while self.take("AND"):
            parts.append(self.phrase())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def phrase(self) -> Expression:
        negated = self.take("NOT")
        if self.take("("):
            self.depth += 1
            if self.depth > DEEPEST:
                raise self.wrong(_("at most %d levels of parentheses") % DEEPEST)
            inner = self.expression()
            self.expect(")")
            self.depth -= 1
        else:
            inner = self.comparison()
        return Not(inner) if negated else inner

    def comparison(self) -> Expression:
        if self.next.kind == "name":
            return self.property_first(self.property_name())
        value = self.constant()
        comparator = self.operator()
        if comparator is None:
            raise self.wrong(_("a comparison operator"))
        if self.next.kind != "name":
            self.constant()
            raise NotSupported(_("Two constants can't be compared; name a property."))
        return Comparison(self.property_name(), MIRRORED[comparator], value)

    def property_first(self, name: str) -> Expression:
        comparator = self.operator() or self.substring()
        if comparator is not None:
            return Comparison(name, comparator, self.value())
        if self.take("IS"):
            known = self.take("KNOWN")
            if not known:
                self.expect("UNKNOWN")
            return Known(name, known)
        if self.take("LENGTH"):
            return Length(name, self.operator() or Comparator.EQ, self.value())
        names = [name]
        while self.take(":"):
            names.append(self.property_name())
        if self.take("HAS"):
            return self.has(tuple(names))
        if len(names) > 1:
            raise self.wrong("HAS")
        return Bare(name)

    def has(self, names: tuple[str, ...]) -> Has:
        quantifier = next((q for q in Quantifier if self.take(q.value)), None)
        rows = [self.row(len(names))]
        while quantifier is not None and self.take(","):
            rows.append(self.row(len(names)))
        return Has(names, quantifier or Quantifier.ALL, tuple(rows))

    def row(self, width: int) -> tuple[Item, ...]:
        items = [self.item()]
        while len(items) < width:
            self.expect(":")
            items.append(self.item())
        return tuple(items)

    def item(self) -> Item:
        return Item(self.operator() or self.substring() or Comparator.EQ, self.value())

    def operator(self) -> Comparator | None:
        return Comparator(self.advance().text) if self.next.kind == "operator" else None

    def substring(self) -> Comparator | None:
        if self.next.text not in _SUBSTRING or self.next.kind != "word":
            return None
        comparator = Comparator(self.advance().text)
        if comparator is not Comparator.CONTAINS:
            self.take("WITH")
        return comparator

    def value(self) -> Value:
        if self.next.kind == "name":
            return Property(self.property_name())
        return self.constant()

    def constant(self) -> Constant:
        token = self.next
        if token.kind == "string":
            self.advance()
            return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
        if token.kind == "number":
            self.advance()
            return _number(token.text)
        for word, truth in (("TRUE", True), ("FALSE", False)):
            if self.take(word):
                return truth
        raise self.wrong(_("a property or a value; text stands in double quotes"))

    def property_name(self) -> str:
        if self.next.kind != "name":
            raise self.wrong(_("a property"))
        names = [self.advance().text]
        while self.take("."):
            if self.next.kind != "name":
                raise self.wrong(_("the rest of a nested property"))
            names.append(self.advance().text)
        return ".".join(names)

    def take(self, text: str) -> bool:
        """Step over this word or mark if it comes next."""
        if self.next.text == text and self.next.kind in {"word", "mark"}:
            self.advance()
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.take(text):
            raise self.wrong(f"“{text}”")

    def advance(self) -> Token:
        token = self.next
        self.position += 1
        return token

    def wrong(self, expected: str) -> BadRequest:
        return _wrong(self.text, self.next.at, expected)


def _number(text: str) -> int | float:
    """Return an integer where the text is one, so that large ones stay exact."""
    value = int(text) if re.fullmatch(r"[-+]?[0-9]{1,25}", text) else float(text)
    if abs(value) > (LARGEST_INTEGER if isinstance(value, int) else 1.7e308):
        raise NotSupported(
            _("%(number)s is too large: integers go to ±%(integer)d, others to ±1.7e308.")
            % {"number": text[:40], "integer": LARGEST_INTEGER}
        )
    return value
