"""Settings that describe and check themselves."""

from dataclasses import dataclass, field
from enum import StrEnum

import pytest

from mlmd.errors import InvalidInput
from mlmd.settings import check, describe, from_mapping


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Example:
    steps: int = field(default=10, metadata={"label": "Steps", "minimum": 1, "maximum": 100})
    width: float = field(default=1.5, metadata={"label": "Width", "unit": "Å", "minimum": 0.0})
    colour: Colour = field(default=Colour.RED, metadata={"label": "Colour", "expert": True})
    seed: int | None = field(default=None, metadata={"label": "Seed"})
    name: str = "internal"


def test_descriptions_carry_what_a_form_needs():
    steps, width, colour, seed = describe(Example)
    assert (steps.type, steps.default, steps.maximum) == (int, 10, 100)
    assert width.unit == "Å"
    assert colour.choices == (Colour.RED, Colour.BLUE)
    assert colour.expert
    assert seed.optional
    assert seed.type is int


def test_a_json_object_becomes_settings():
    settings = from_mapping(Example, {"steps": 5.0, "width": 2, "colour": "blue"}, "spec.json")
    assert settings == Example(5, 2.0, Colour.BLUE)
    assert isinstance(settings.width, float)
    check(settings, "spec.json")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stepps": 5}, "Did you mean 'steps'"),
        ({"colour": "green"}, "one of red, blue"),
    ],
)
def test_unknown_names_and_choices_are_refused(values, message):
    with pytest.raises(InvalidInput, match=message):
        from_mapping(Example, values, "spec.json")


@pytest.mark.parametrize(
    "values",
    [
        {"steps": 0},
        {"steps": 101},
        {"steps": 1.5},
        {"steps": True},
        {"width": float("nan")},
        {"width": "wide"},
        {"width": None},
        {"seed": "x"},
    ],
)
def test_values_outside_of_their_limits_are_refused(values):
    with pytest.raises(InvalidInput, match=next(iter(values))):
        check(from_mapping(Example, values, "spec.json"), "spec.json")
