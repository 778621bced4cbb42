"""Reports go to JSON and back, and a wrong one is refused with the place."""

import json

import pytest

from mlmd.errors import InvalidInput
from mlmd.validation import (
    Check,
    CheckName,
    CheckStatus,
    Machine,
    Mark,
    MaterialSummary,
    Plot,
    Series,
    Table,
    ValidationReport,
    Value,
    report_from_json,
    report_to_json,
)
from mlmd.validation.report import VERSION, line, points
from mlmd.validation.words import TITLES


def sample() -> ValidationReport:
    plot = Plot(
        "energy-volume", "E", "V", "E", (line("a", [1, 2], [3, 4]), points("b", [0.5], [1e-9])),
        (Mark(1.5, "Γ"),), "Si (Fd-3m)",
    )  # fmt: skip
    check = Check(
        CheckName.VOLUME,
        TITLES[CheckName.VOLUME],
        CheckStatus.DONE,
        values=(Value("Bulk modulus", 97.0, "GPa", 96.5, "teacher", "Si"), Value("none", None)),
        plots=(plot,),
        tables=(Table("t", ("a", "b", "c"), (("x", 1, 2.5), (None, 0, 1.0))),),
        notes=("A sentence.",),
        seconds=1.25,
    )
    skipped = Check(CheckName.SPEED, TITLES[CheckName.SPEED], CheckStatus.SKIPPED, "no time")
    crystal = MaterialSummary("Si (Fd-3m)", "Si", "Fd-3m (227)", 2, "teacher data")
    return ValidationReport(VERSION, (check, skipped), (crystal,), Machine("cpu", 2), 3.0, 17)


def test_a_report_survives_json():
    report = sample()
    assert report_from_json(json.loads(json.dumps(report_to_json(report)))) == report


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(version=99), "version"),
        (lambda c: c.pop("machine"), "no entry 'machine'"),
        (lambda c: c.update(extra=1), "unknown entry 'extra'"),
        (lambda c: c["checks"][0].update(status="fine"), "checks 1: status"),
        (lambda c: c["checks"][0]["values"][0].update(value="7"), "checks 1: values 1: value"),
        (lambda c: c["checks"][0]["values"][0].update(value=True), "checks 1: values 1: value"),
        (lambda c: c["checks"][0]["plots"][0]["series"][0]["x"].append(1.0), "3 x and 2 y"),
        (lambda c: c["checks"][0]["tables"][0]["rows"][1].append(1), "row 2"),
        (lambda c: c["checks"][0]["notes"].append(None), "checks 1: notes 2"),
        (lambda c: c.update(materials={}), "materials: a JSON dict"),
    ],
)
def test_a_wrong_report_is_refused_with_the_place(change, said):
    content = report_to_json(sample())
    change(content)
    with pytest.raises(InvalidInput, match=said):
        report_from_json(content)


def test_a_list_is_no_report():
    with pytest.raises(InvalidInput, match="an object"):
        report_from_json([])


def test_a_curve_of_infinite_numbers_is_refused():
    with pytest.raises(InvalidInput, match="aren't finite"):
        Series("a", (1.0,), (float("nan"),))


def test_every_check_has_a_title():
    assert set(TITLES) == set(CheckName)
