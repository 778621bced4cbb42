"""The filter language: what is read as what, and which entries fit."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimade.exceptions import BadRequest as LarkRefusal
from optimade.filterparser import LarkParser

from datasets.models import Frame
from datasets.optimade.errors import BadRequest, NotSupported
from datasets.optimade.parser import DEEPEST, LONGEST, parse_filter
from datasets.optimade.syntax import (
    And,
    Bare,
    Comparator,
    Comparison,
    Has,
    Item,
    Known,
    Length,
    Not,
    Or,
    Quantifier,
)
from tests.datasets.factories import make_exchange

REFERENCE = LarkParser(version=(1, 2, 0))
PAGE = "/optimade/v1/structures"


def eq(name: str, value: Any) -> Comparison:
    return Comparison(name, Comparator.EQ, value)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("NOT a=1 OR b=2 AND c=3", Or((Not(eq("a", 1)), And((eq("b", 2), eq("c", 3)))))),
        ("NOT(a=1)ANDb=2", And((Not(eq("a", 1)), eq("b", 2)))),
        ("3 <= a", Comparison("a", Comparator.GE, 3)),
        ('"x" != a', Comparison("a", Comparator.NE, "x")),
        ('a="q\\"\\\\"', eq("a", 'q"\\')),
        ('a STARTS WITH \t\n"x"', Comparison("a", Comparator.STARTS, "x")),
        ('a.b ENDS"x"', Comparison("a.b", Comparator.ENDS, "x")),
        ("a IS UNKNOWN AND b", And((Known("a", False), Bare("b")))),
        ("a=-.2E+7", eq("a", -2e6)),
        ("a=9223372036854775807", eq("a", 2**63 - 1)),
        ("a != TRUE", Comparison("a", Comparator.NE, True)),
        ("a LENGTH 3", Length("a", Comparator.EQ, 3)),
        ("a LENGTH >2", Length("a", Comparator.GT, 2)),
        (
            'a HAS ANY "x", >"y"',
            Has(
                ("a",),
                Quantifier.ANY,
                ((Item(Comparator.EQ, "x"),), (Item(Comparator.GT, "y"),)),
            ),
        ),
        (
            'a:b HAS "x":<2',
            Has(
                ("a", "b"),
                Quantifier.ALL,
                ((Item(Comparator.EQ, "x"), Item(Comparator.LT, 2)),),
            ),
        ),
    ],
)
def test_filters_are_read_as_the_grammar_says(text: str, tree: Any) -> None:
    assert parse_filter(text) == tree


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "character 1: found the end"),
        ("a=", "character 3: found the end"),
        ("a=1 OR", "character 7: found the end"),
        ("a=1 b=2", "character 5: found “b=2”"),
        ("a=(1)", "character 3: found “(1)”"),
        ("(a=1", "expected “)”"),
        ("Band=1", "character 1: found “Band=1”"),
        ("a='x'", "character 3"),
        ('a="x', "character 3"),
        ("a:b=1", "expected HAS"),
        ('a:b HAS "x"', "expected “:”"),
        ("a=1.2.3", "character 6"),
        ("a = 1; b = 2", "character 6"),
        ("(" * (DEEPEST + 1) + "a=1" + ")" * (DEEPEST + 1), "levels of parentheses"),
        ("a=1 OR " * (LONGEST // 7 + 1) + "a=1", "characters"),
        ("a=1 OR " * 1000 + "a=1", "too long"),
    ],
)
def test_a_wrong_filter_is_refused_with_the_place(text: str, where: str) -> None:
    with pytest.raises(BadRequest, match=re.escape(where)):
        parse_filter(text)


@pytest.mark.parametrize("text", ["a=99999999999999999999", "a=1e999", '"a"="b"', "5 < 7"])
def test_what_no_column_can_hold_is_not_supported(text: str) -> None:
    with pytest.raises(NotSupported):
        parse_filter(text)


WORDS = [
    *("a", "elements", "_x_y", "AND", "OR", "NOT", "(", ")", "=", "!=", "<", ">=", "1", "-2.5e3"),
    *('"Si"', '"a\\"b"', "HAS", "ALL", "ANY", "ONLY", "LENGTH", "IS", "KNOWN", "UNKNOWN", ","),
    *("CONTAINS", "STARTS", "WITH", "ENDS", ":"),
]


def is_read(text: str) -> bool:
    try:
        parse_filter(text)
    except NotSupported:
        return True
    except BadRequest:
        return False
    return True


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9))
def test_whatever_the_reference_grammar_reads_is_read(words: list[str]) -> None:
    text = " ".join(words)
    try:
        REFERENCE.parse(text)
    except LarkRefusal:
        return
    # Lists side by side must have as many values as names; the grammar can't say so.
    assert is_read(text) or ":" in words


@given(st.text(alphabet='ab="\\() <>!HASANDORT1.,:', max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    assert is_read(text) in {True, False}


Fits = Callable[[dict[str, Any]], bool]


def holds(name: str, test: Callable[[Any], bool]) -> Fits:
    return lambda a: a[name] is not None and test(a[name])


def shares(a: dict[str, Any]) -> dict[str, float]:
    return dict(zip(a["elements"], a["elements_ratios"], strict=True))


FILTERS: list[tuple[str, Fits]] = [
    ("nelements=2", lambda a: a["nelements"] == 2),
    ("nelements!=2", lambda a: a["nelements"] != 2),
    ("2 < nelements", lambda a: a["nelements"] > 2),
    ("nsites=2.5", lambda a: False),
    ("nsites!=2.5", lambda a: True),
    ("nsites>=2.5 AND nsites<4.5", lambda a: a["nsites"] in {3, 4}),
    ("nperiodic_dimensions<3", lambda a: a["nperiodic_dimensions"] < 3),
    ('type="structures"', lambda a: True),
    ('NOT type STARTS "struct"', lambda a: False),
    ('elements HAS "Si"', lambda a: "Si" in a["elements"]),
    ('elements HAS "si"', lambda a: False),
    ('NOT elements HAS "Si"', lambda a: "Si" not in a["elements"]),
    ('elements HAS ALL "O","Si"', lambda a: {"O", "Si"} <= set(a["elements"])),
    ('elements HAS ANY "Fe","Mg"', lambda a: bool({"Fe", "Mg"} & set(a["elements"]))),
    ('elements HAS ONLY "O","Fe","Mg"', lambda a: {"O", "Fe", "Mg"} >= set(a["elements"])),
    ('elements HAS STARTS WITH "M"', lambda a: any(e[0] == "M" for e in a["elements"])),
    ('species_at_sites HAS "H"', lambda a: "H" in a["elements"]),
    ("elements LENGTH >= 3", lambda a: a["nelements"] >= 3),
    ("species_at_sites LENGTH 5", lambda a: a["nsites"] == 5),
    ("elements_ratios HAS > 0.7", lambda a: max(a["elements_ratios"]) > 0.7),
    ("elements_ratios HAS ONLY < 0.7", lambda a: max(a["elements_ratios"]) < 0.7),
    (
        'elements:elements_ratios HAS ALL "O":>0.6,"O":<0.7',
        lambda a: 0.6 < shares(a).get("O", 0) < 0.7,
    ),
    (
        'elements:elements_ratios HAS ANY "H":>0.5,"Fe":>0.4',
        lambda a: shares(a).get("H", 0) > 0.5 or shares(a).get("Fe", 0) > 0.4,
    ),
    ('chemical_formula_reduced="O2Si"', lambda a: a["chemical_formula_reduced"] == "O2Si"),
    ('NOT chemical_formula_reduced="Si"', lambda a: a["chemical_formula_reduced"] != "Si"),
    ('chemical_formula_anonymous="A2B"', lambda a: a["chemical_formula_anonymous"] == "A2B"),
    (
        'chemical_formula_descriptive CONTAINS "o"',
        lambda a: "o" in a["chemical_formula_descriptive"],
    ),
    (
        'chemical_formula_descriptive ENDS "Si2"',
        lambda a: a["chemical_formula_descriptive"].endswith("Si2"),
    ),
    ('chemical_formula_hill="Si"', lambda a: False),
    ('NOT chemical_formula_hill="Si"', lambda a: False),
    ("space_group_it_number IS UNKNOWN", lambda a: True),
    ("structure_features LENGTH 0", lambda a: True),
    ('structure_features HAS "disorder"', lambda a: False),
    ('last_modified>"2020-01-01T00:00:00Z"', lambda a: True),
    ('last_modified<"2020-01-01T09:00:00+09:00"', lambda a: False),
    ("_mlmd_energy<-400", holds("_mlmd_energy", lambda e: e < -400)),
    ("NOT _mlmd_energy<-400", holds("_mlmd_energy", lambda e: e >= -400)),
    ("_mlmd_energy IS UNKNOWN", lambda a: a["_mlmd_energy"] is None),
    ("NOT _mlmd_energy", lambda a: a["_mlmd_energy"] is None),
    ("_mlmd_max_force!=0", holds("_mlmd_max_force", lambda f: f != 0)),
    ("_mlmd_scf_converged", lambda a: a["_mlmd_scf_converged"] is True),
    ("NOT _mlmd_scf_converged", lambda a: a["_mlmd_scf_converged"] is False),
    ("_mlmd_scf_converged != FALSE", lambda a: a["_mlmd_scf_converged"] is True),
    ('_mlmd_functional="PBE"', lambda a: a["_mlmd_functional"] == "PBE"),
    ('_mlmd_functional!="PBE"', holds("_mlmd_functional", lambda f: f != "PBE")),
    ("_mlmd_functional IS UNKNOWN", lambda a: a["_mlmd_functional"] is None),
    ('_mlmd_dataset_name CONTAINS "Several"', lambda a: "Several" in a["_mlmd_dataset_name"]),
    ("_mlmd_dataset_version=1", lambda a: True),
    ("_mlmd_licence IS KNOWN", lambda a: a["_mlmd_licence"] is not None),
    ('NOT _mlmd_licence="CC0-1.0"', holds("_mlmd_licence", lambda found: found != "CC0-1.0")),
    ("_mlmd_forces LENGTH 2", lambda a: a["_mlmd_forces"] is not None and a["nsites"] == 2),
    ("_mlmd_stress IS KNOWN", lambda a: a["_mlmd_stress"] is not None),
    ("_other_gap<2 OR nelements=1", lambda a: a["nelements"] == 1),
    ("NOT _other_gap<2", lambda a: False),
    ("NOT (nelements=1 OR nsites=6)", lambda a: a["nelements"] != 1 and a["nsites"] != 6),
    ("NOT (nelements=2 AND NOT nsites=2)", lambda a: a["nelements"] != 2 or a["nsites"] == 2),
]


@pytest.mark.django_db
def test_filters_find_exactly_what_fits(owner: Any, lab: Any, client: Any) -> None:
    make_exchange(owner, lab)
    everything = client.get(PAGE, {"page_limit": 200}).json()
    entries = {e["id"]: e["attributes"] for e in everything["data"]}
    while following := everything["links"]["next"]:
        everything = client.get(following).json()
        entries |= {e["id"]: e["attributes"] for e in everything["data"]}
    assert len(entries) == everything["meta"]["data_available"] > 200
    wrong = []
    for text, fits in FILTERS:
        query = {"filter": text, "page_limit": 200, "response_fields": "id"}
        answer = client.get(PAGE, query).json()
        expected = {name for name, attributes in entries.items() if fits(attributes)}
        found = {entry["id"] for entry in answer.get("data", ())}
        returned = answer["meta"].get("data_returned")
        if returned != len(expected) or not (
            found == expected or len(expected) > 200 <= len(found)
        ):
            wrong.append(f"{text}: {returned}, expected {len(expected)} {answer.get('errors')}")
    assert wrong == []


@pytest.mark.django_db
def test_identifiers_are_compared_as_text(owner: Any, lab: Any, client: Any) -> None:
    make_exchange(owner, lab)
    chosen = client.get(PAGE, {"page_limit": 1}).json()["data"][0]["id"]

    def found(text: str) -> list[str]:
        answer = client.get(PAGE, {"filter": text, "page_limit": 200, "response_fields": "id"})
        return [entry["id"] for entry in answer.json()["data"]]

    for text in (f'id="{chosen}"', f'immutable_id="{chosen}"', f'id CONTAINS "{chosen[5:20]}"'):
        assert found(text) == [chosen]
    assert chosen in found(f'id STARTS "{chosen[:9]}" AND id ENDS "{chosen[-6:]}"')
    assert chosen in found(f'id <= "{chosen}" AND NOT id > "{chosen}"')
    assert chosen not in found(f'id > "{chosen}" OR id < "{chosen}"')
    assert chosen not in found(f'id != "{chosen}"')
    assert found(f'id="{chosen.replace("-", "")}"') == []


@pytest.mark.django_db
@pytest.mark.parametrize("operator", ["<", "<=", ">", ">=", "STARTS", "ENDS", "CONTAINS"])
def test_parts_of_identifiers_are_compared_as_text(
    owner: Any, lab: Any, client: Any, operator: str
) -> None:
    make_exchange(owner, lab)
    every = [str(i) for i in Frame.objects.values_list("public_id", flat=True)]
    tests = {
        "<": str.__lt__,
        "<=": str.__le__,
        ">": str.__gt__,
        ">=": str.__ge__,
        "STARTS": str.startswith,
        "ENDS": str.endswith,
        "CONTAINS": str.__contains__,
    }
    chosen = every[7]
    texts = ["", "8", "g", chosen[:4], chosen[:9], chosen[:8] + "x", chosen[:8] + chosen[9:12]]
    texts += [chosen, chosen.upper(), chosen[:24], chosen[5:20], chosen[-3:], "-", chosen + "0"]
    for text in texts:
        answer = client.get(PAGE, {"filter": f'id {operator} "{text}"', "response_fields": "id"})
        expected = sum(1 for i in every if tests[operator](i, text))
        assert answer.json()["meta"]["data_returned"] == expected, (operator, text)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("crazy=1", 400, "no property crazy"),
        ("_mlmd_crazy=1", 400, "no property _mlmd_crazy"),
        ('nsites="3"', 501, "nsites: it is a number"),
        ("elements HAS 3", 501, "elements: it is text"),
        ("chemical_formula_reduced=3", 501, "double quotes"),
        ("nsites=nelements", 501, "Two properties"),
        ("elements LENGTH nelements", 501, "Two properties"),
        ("elements HAS nelements", 501, "two properties"),
        ('elements="Si"', 501, "can't be compared"),
        ("nsites CONTAINS 3", 501, "nsites: it is a number"),
        ("_mlmd_scf_converged > FALSE", 501, "TRUE or FALSE"),
        ('references.id HAS "x"', 501, "references.id"),
        ('species.name HAS "Si"', 501, "species.name"),
        ('elements:species_at_sites HAS "Si":"Si"', 501, "side by side"),
        ("nsites HAS 3", 501, "HAS isn't offered"),
        ("nsites LENGTH 3", 501, "LENGTH isn't offered"),
        ("_mlmd_energy_sigma0>1", 501, "can't be compared"),
        ("_mlmd_energy_sigma0 IS KNOWN", 501, "can't ask for it"),
        ('last_modified>"yesterday"', 400, "is no time"),
        ('last_modified>"2020-01-01"', 400, "is no time"),
        ('last_modified CONTAINS "2020"', 501, "last_modified: it is a time"),
        ('id="a\x00b"', 400, "character"),
        ("nsites=1e400", 501, "too large"),
    ],
)
def test_what_cannot_be_answered_is_said(client: Any, text: str, status: int, words: str) -> None:
    answer = client.get(PAGE, {"filter": text})
    assert answer.status_code == status
    [error] = answer.json()["errors"]
    assert error["status"] == str(status)
    assert words in error["detail"]
