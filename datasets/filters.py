"""What may be asked of the frames' catalog: one dataclass for pages, API and selections."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from datasets.filter_words import MAY_LACK, choice_words, number_words, text_words
from datasets.models import Calculation, Dataset, ElementSet
from datasets.querysets import FrameQuerySet
from datasets.splits import Part
from labs.exceptions import Refused
from mlmd.elements import SYMBOLS, atomic_number

NUMBERS = {
    "atoms_min": ("n_atoms__gte", int),
    "atoms_max": ("n_atoms__lte", int),
    "energy_min": ("energy_per_atom__gte", float),
    "energy_max": ("energy_per_atom__lte", float),
    "force_min": ("max_force__gte", float),
    "force_max": ("max_force__lte", float),
    "above_min": ("energy_above__gte", float),
    "above_max": ("energy_above__lte", float),
    "distance_min": ("shortest_distance__gte", float),
    "distance_max": ("shortest_distance__lte", float),
    "pressure_min": ("pressure__gte", float),
    "pressure_max": ("pressure__lte", float),
    "k_spacing_min": ("k_spacing__gte", float),
    "k_spacing_max": ("k_spacing__lte", float),
    "cutoff_min": ("calculation__cutoff_energy__gte", float),
    "cutoff_max": ("calculation__cutoff_energy__lte", float),
}
WORDS = {
    "functional": "functional",
    "code": "code",
    "kind": "kind",
    "compat_key": "compat_key",
    "label_source": "label_source",
    "split": "split",
    "dispersion": "calculation__dispersion",
    "spin": "calculation__spin",
    "run_type": "calculation__run_type",
    "licence": "dataset__licence",
    "lab": "dataset__lab__name",
}
DATES = {"since": "created_at__date__gte", "until": "created_at__date__lte"}
NONE = "none"  # in the address, for an empty word
WITHOUT_TEST = (Part.TRAIN.value, Part.VALIDATION.value, NONE)  # of the split
ELEMENT_MODES = ("all", "any", "only")


@dataclass(frozen=True)
class FrameFilters:
    """A condition on frames; empty values mean no condition.

    Args:
        elements: chemical symbols.
        mode: ``all`` (the frame holds each of them), ``any`` (at least one) or ``only``
            (nothing but them).
        formula: Hill formula, exact.
        atoms_min: fewest atoms.
        atoms_max: most atoms.
        energy_min: lowest energy per atom, eV.
        energy_max: highest energy per atom, eV.
        force_min: smallest largest force, eV/Å.
        force_max: largest force, eV/Å.
        above_min: lowest energy above the dataset's convex hull, eV/atom.
        above_max: highest energy above it, eV/atom.
        distance_min: least shortest distance, Å.
        distance_max: largest shortest distance, Å.
        pressure_min: lowest pressure, GPa.
        pressure_max: highest pressure, GPa.
        k_spacing_min: closest k-points, Å⁻¹.
        k_spacing_max: farthest k-points, Å⁻¹.
        cutoff_min: lowest plane-wave cutoff, eV.
        cutoff_max: highest plane-wave cutoff, eV.
        functional: one or several names; any of them fits.
        code: likewise.
        kind: likewise.
        compat_key: likewise.
        label_source: likewise.
        split: ``train``, ``validation``, ``test``, or ``none`` for frames that no version has
            drawn yet; any of them fits.
        dispersion: one or several corrections; ``none`` is without.
        spin: likewise.
        run_type: ``static``, ``relaxation``, ``md`` or ``vibrations``; any of them fits.
        licence: SPDX identifiers of the dataset; ``none`` is not stated.
        lab: names of the datasets' labs.
        hubbard: ``yes`` or ``no``.
        stress: ``yes`` or ``no``: whether the frame has one.
        since: first day on which the frame came here, ``2026-01-31``.
        until: last day.
        q: words of the dataset, kind, formula or source file; each must be found.
        converged: ``yes``, ``no`` or ``unknown``.
        identity: structure hash or label identity (64 hexadecimal digits) of duplicates.
    """

    elements: tuple[str, ...] = ()
    mode: str = "all"
    formula: str = ""
    atoms_min: int | None = None
    atoms_max: int | None = None
    energy_min: float | None = None
    energy_max: float | None = None
    force_min: float | None = None
    force_max: float | None = None
    above_min: float | None = None
    above_max: float | None = None
    distance_min: float | None = None
    distance_max: float | None = None
    pressure_min: float | None = None
    pressure_max: float | None = None
    k_spacing_min: float | None = None
    k_spacing_max: float | None = None
    cutoff_min: float | None = None
    cutoff_max: float | None = None
    functional: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    compat_key: tuple[str, ...] = ()
    label_source: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    dispersion: tuple[str, ...] = ()
    spin: tuple[str, ...] = ()
    run_type: tuple[str, ...] = ()
    licence: tuple[str, ...] = ()
    lab: tuple[str, ...] = ()
    hubbard: str = ""
    stress: str = ""
    since: str = ""
    until: str = ""
    q: str = ""
    converged: str = ""
    identity: str = ""

    def apply(self, frames: FrameQuerySet) -> FrameQuerySet:
        """Return the frames that fit."""
        condition = Q()
        if self.elements:
            condition &= Q(elements_key__in=_matching_keys(self.elements, self.mode))
        if self.formula:
            condition &= Q(formula=self.formula)
        for name, (lookup, _kind) in NUMBERS.items():
            if getattr(self, name) is not None:
                condition &= Q(**{lookup: getattr(self, name)})
        for name, column in WORDS.items():
            if values := getattr(self, name):
                condition &= Q(**{f"{column}__in": meant_words(name, values)})
        condition &= self._choices()
        for word in self.q.split():
            condition &= _holding(word)
        return frames.filter(condition)

    def _choices(self) -> Q:
        condition = Q()
        if self.converged:
            condition &= Q(
                scf_converged={"yes": True, "no": False, "unknown": None}[self.converged]
            )
        if self.hubbard:
            without = Q(calculation__hubbard="")
            condition &= without if self.hubbard == "no" else ~without
        if self.stress:
            condition &= Q(has_stress=self.stress == "yes")
        if self.identity:
            condition &= Q(structure_hash=self.identity) | Q(label_identity=self.identity)
        for name, lookup in DATES.items():
            if getattr(self, name):
                condition &= Q(**{lookup: getattr(self, name)})
        return condition

    def __bool__(self) -> bool:
        return replace(self, mode="all") != FrameFilters()

    def to_json(self) -> dict[str, Any]:
        """Return what differs from no condition, in JSON's own types."""
        empty = asdict(FrameFilters())
        found = {k: v for k, v in asdict(self).items() if v != empty[k]}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in found.items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> FrameFilters:
        """Rebuild from `to_json`.

        Raises:
            Refused: an unknown field or a value that can't be used.
        """
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise Refused(
                _("“%(field)s” is no filter; expected one of %(known)s.")
                % {"field": unknown[0], "known": ", ".join(sorted(known))}
            )
        return _checked(lambda name: values.get(name))

    @classmethod
    def from_query(cls, query: Any) -> FrameFilters:
        """Read a URL's query (a `QueryDict`); names are those of the fields.

        Raises:
            Refused: a value that can't be used, said in words.
        """
        many = {"elements", *WORDS}
        return _checked(lambda name: query.getlist(name) if name in many else query.get(name))

    def to_query(self) -> str:
        """Return the URL query that gives these filters again."""
        return urlencode(self.to_json(), doseq=True)

    def without(self, name: str, value: str | None = None) -> FrameFilters:
        """Return the filters with one field, or one value of a field, taken away."""
        if value is None:
            return replace(self, **{name: getattr(FrameFilters(), name)})
        kept = tuple(v for v in getattr(self, name) if v != value)
        return replace(self, **{name: kept})

    def describe(self) -> list[tuple[str, str, str]]:
        """Return (field, value or empty, words) of each active condition, for chips."""
        modes = {"all": _("with"), "any": _("with any of"), "only": _("only")}
        chips = []
        if self.elements:
            chips.append(("elements", "", f"{modes[self.mode]} {', '.join(self.elements)}"))
        if self.formula:
            chips.append(("formula", "", self.formula))
        for name, words in number_words().items():
            if getattr(self, name) is not None:
                chips.append((name, "", words % {"value": f"{getattr(self, name):g}"}))
        without_test = self.split == WITHOUT_TEST
        if without_test:
            chips.append(("split", "", _("without the test frames of the split")))
        for name in WORDS:
            for value in () if name == "split" and without_test else getattr(self, name):
                lacking = value == NONE and name in MAY_LACK
                chips.append((name, value, str(MAY_LACK[name]) if lacking else value))
        for name, said in choice_words().items():
            if given := getattr(self, name):
                chips.append((name, "", said[given]))
        for name, said_of in text_words().items():
            if given := getattr(self, name):
                chips.append((name, "", said_of % given[:40]))
        return chips


def meant_words(name: str, values: Iterable[str]) -> list[str]:
    """Return the values of a column that the words of a filter mean."""
    return ["" if value == NONE and name in MAY_LACK else value for value in values]


def held_words(word: str) -> tuple[QuerySet, QuerySet]:
    """Return the datasets and the calculations that a word of a search is found in."""
    # They are few: their keys come first, so that frames keep their indexes.
    datasets = Dataset.objects.filter(
        Q(name__icontains=word) | Q(description__icontains=word) | Q(tags__icontains=word)
    )
    calculations = Calculation.objects.filter(
        Q(source_name__icontains=word) | Q(compat_key__icontains=word)
    )
    return datasets, calculations


def _holding(word: str) -> Q:
    """The condition that a word is found in what is said of a frame."""
    datasets, calculations = held_words(word)
    return (
        Q(dataset__in=datasets.values("pk"))
        | Q(calculation__in=calculations.values("pk"))
        | Q(kind__icontains=word)
        | Q(formula=word)
    )


def _checked(value_of: Callable[[str], Any]) -> FrameFilters:
    values: dict[str, Any] = {
        "elements": parse_elements(value_of("elements") or ()),
        "mode": value_of("mode") or "all",
        "formula": str(value_of("formula") or "").strip()[:200],
        "converged": value_of("converged") or "",
        "identity": str(value_of("identity") or "").strip().lower()[:64],
        "hubbard": value_of("hubbard") or "",
        "stress": value_of("stress") or "",
        "q": " ".join(str(value_of("q") or "").split())[:200],
    }
    for name in DATES:
        values[name] = _day(name, value_of(name))
    for name, (_lookup, kind) in NUMBERS.items():
        values[name] = _number(name, value_of(name), kind)
    for name in WORDS:
        given = value_of(name) or ()
        given = [given] if isinstance(given, str) else given
        values[name] = tuple(str(v)[:255] for v in given if v != "")
    _require(values["mode"], ELEMENT_MODES, "mode")
    _require(values["hubbard"], ("", "yes", "no"), "hubbard")
    _require(values["stress"], ("", "yes", "no"), "stress")
    for part in values["split"]:
        _require(part, (*Part, NONE), "split")
    _require(values["converged"], ("", "yes", "no", "unknown"), "converged")
    return FrameFilters(**values)


def _require(value: Any, choices: tuple[str, ...], name: str) -> None:
    if value not in choices:
        raise Refused(
            _("%(field)s: “%(value)s” isn't possible; expected one of %(choices)s.")
            % {"field": name, "value": value, "choices": ", ".join(c for c in choices if c)}
        )


def _day(name: str, text: Any) -> str:
    if not text:
        return ""
    try:
        return date.fromisoformat(str(text).strip()).isoformat()
    except ValueError as error:
        raise Refused(
            _("%(field)s: “%(value)s” isn't a day; expected for example 2026-01-31.")
            % {"field": name, "value": str(text)[:40]}
        ) from error


def _number(name: str, text: Any, kind: type) -> Any:
    if text is None or text == "":
        return None
    try:
        number = kind(text)
    except (ValueError, TypeError, OverflowError):
        number = math.nan
    # Databases hold 64-bit integers; a larger bound would be an error, not a filter.
    if not math.isfinite(number) or abs(number) > 2**62:
        raise Refused(
            _("%(field)s: “%(value)s” isn't a number that can be used.")
            % {"field": name, "value": str(text)[:40]}
        )
    return number


def parse_elements(given: str | Iterable[str]) -> tuple[str, ...]:
    """Return symbols in the order of the periodic table, from a list or from text.

    Raises:
        Refused: a word that is no chemical symbol.
    """
    words = given if isinstance(given, str) else " ".join(map(str, given))
    numbers = set()
    for word in words.replace(",", " ").replace("|", " ").replace("-", " ").split():
        number = atomic_number(word) or atomic_number(word.capitalize())
        if number is None:
            raise Refused(
                _("“%s” isn't a chemical symbol; expected for example Si or O.") % word[:40]
            )
        numbers.add(number)
    return tuple(SYMBOLS[n] for n in sorted(numbers))


def elements_test(elements: tuple[str, ...], mode: str) -> Callable[[str], bool]:
    """Return the test of an `elements_key` such as ``"|O|Si|"``."""
    wanted = set(elements)
    tests: dict[str, Callable[[set[str]], bool]] = {
        "all": wanted.issubset,
        "any": lambda has: bool(wanted & has),
        "only": wanted.issuperset,
    }
    test = tests[mode]
    return lambda key: test({e for e in key.split("|") if e})


def _matching_keys(elements: tuple[str, ...], mode: str) -> list[str]:
    keys = ElementSet.objects.values_list("key", flat=True)
    return list(filter(elements_test(elements, mode), keys))
