"""Potentials side by side: what is marked as best, and what nobody but its owner may see."""

from __future__ import annotations

import csv
import io
from uuid import uuid4

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from jobs.states import State
from mlmd.validation.dynamics import COST
from potentials.comparison import MOST, compare, wanted_ids
from tests.potentials.factories import make_potential, make_report, make_validation

pytestmark = pytest.mark.django_db


def ids(*potentials) -> list[str]:
    return [str(potential.public_id) for potential in potentials]


def row_of(found, label):
    return next(row for group in found.groups for row in group.rows if row.label == label)


@pytest.fixture
def two(owner, lab):
    """Two validated potentials; the second is nearer to the teacher's bulk modulus."""
    first = make_potential(owner, lab, name="First", force_rmse=80.0, energy_rmse=3.0)
    second = make_potential(owner, lab, name="Second", force_rmse=120.0, energy_rmse=3.0)
    make_validation(first, make_report(bulk_modulus=90.0))
    make_validation(second, make_report(bulk_modulus=101.0, shift=0.1))
    return first, second


def test_the_best_is_the_smallest_error_or_the_nearest_to_the_teacher(two, owner):
    found = compare(owner, [row.public_id for row in two])
    assert [cell.is_best for cell in row_of(found, "Force RMSE").cells] == [True, False]
    assert [cell.is_best for cell in row_of(found, "Energy RMSE").cells] == [False, False]
    modulus = row_of(found, "Bulk modulus: Si (Fd-3m)")
    assert [cell.is_best for cell in modulus.cells] == [False, True]
    assert modulus.reference == "100.0"
    assert [cell.note for cell in modulus.cells] == ["-10 (-10.0 %)", "+1 (+1.0 %)"]
    volume = row_of(found, "Volume: Si (Fd-3m)")
    assert not any(cell.is_best for cell in volume.cells)  # nothing says what would be right
    assert [cell.is_best for cell in row_of(found, COST).cells] == [True, False]


def test_numbers_that_read_the_same_are_equally_good(owner, lab):
    rows = [make_potential(owner, lab, force_rmse=force) for force in (100.001, 100.002, 120.0)]
    for row, modulus in zip(rows, (98.0, 98.0 + 1e-9, 98.0 - 1e-9), strict=True):
        make_validation(row, make_report(bulk_modulus=modulus))
    found = compare(owner, [row.public_id for row in rows])
    assert [cell.is_best for cell in row_of(found, "Force RMSE").cells] == [True, True, False]
    assert not any(cell.is_best for cell in row_of(found, "Bulk modulus: Si (Fd-3m)").cells)


def test_a_potential_without_a_validation_says_so(two, owner, lab):
    bare = make_potential(owner, lab)
    make_validation(bare, state=State.FAILED)
    found = compare(owner, [two[0].public_id, bare.public_id])
    cells = row_of(found, "Bulk modulus: Si (Fd-3m)").cells
    assert (cells[1].text, cells[1].note) == ("–", "not validated")


def test_teachers_that_differ_are_told_in_each_cell(two, owner, lab):
    other = make_potential(owner, lab)
    make_validation(other, make_report(bulk_modulus=60.0, teacher=50.0))
    modulus = row_of(
        compare(owner, [two[0].public_id, other.public_id]), "Bulk modulus: Si (Fd-3m)"
    )
    assert modulus.reference == ""
    assert modulus.cells[1].note == "teacher 50.00: +10 (+20.0 %)"


def test_errors_over_different_data_carry_a_warning(owner, lab):
    one = make_potential(owner, lab, data_checksum="a" * 64)
    other = make_potential(owner, lab, data_checksum="b" * 64)
    errors = compare(owner, [one.public_id, other.public_id]).groups[1]
    assert "fitted to different data" in errors.note
    assert compare(owner, [one.public_id]).groups[1].note == ""


def test_the_page_overlays_the_curves_and_offers_a_table(two, owner, sign_in):
    client = sign_in(owner)
    page = client.get(reverse("potentials:compare"), {"potential": ids(*two)})
    assert page.status_code == 200
    text = page.content.decode()
    assert "best" in text
    (plot,) = page.context["plots"]
    figure = client.get(plot["url"]).json()
    assert [trace["name"] for trace in figure["data"]] == ["First v1", "Second v1", "Teacher data"]
    assert figure["layout"]["xaxis"]["ticktext"] == ["V0"]
    rows = list(csv.reader(io.StringIO(client.get(figure["csv"]).content.decode())))
    assert rows[0] == ["potential", "series", "volume / Å³ per atom", "energy / eV per atom"]
    assert len(rows) == 1 + 2 * 2 * 5
    table = client.get(reverse("potentials:compare-csv"), {"potential": ids(*two)})
    rows = list(csv.reader(io.StringIO(table.content.decode())))
    assert rows[0][-2:] == ["First v1", "Second v1"]
    assert ["90.0", "101.0"] in [row[-2:] for row in rows]


def test_what_one_may_not_see_is_left_out_and_counted(two, owner, lab, guest, sign_in):
    hidden = make_potential(owner, lab, "private", name="Secret")
    make_validation(hidden)
    client = sign_in(guest)
    wanted = {"potential": [*ids(hidden, two[0]), str(uuid4())]}
    page = client.get(reverse("potentials:compare"), wanted)
    text = page.content.decode()
    assert "Secret" not in text
    assert "2 potentials of this address" in text
    assert "Secret" not in client.get(reverse("potentials:compare-csv"), wanted).content.decode()


def test_an_address_with_nonsense_shows_the_empty_page(owner, lab, sign_in):
    make_potential(owner, lab, name="Offered")
    page = sign_in(owner).get(reverse("potentials:compare"), {"potential": ["nonsense", ""]})
    assert page.status_code == 200
    assert "Choose two to six potentials" in page.content.decode()
    assert "Offered" in page.content.decode()
    assert len(wanted_ids(str(uuid4()) for _ in range(9))) == MOST


def test_the_number_of_queries_does_not_grow_with_the_potentials(
    owner, lab, sign_in, django_assert_max_num_queries
):
    rows = [make_potential(owner, lab) for _ in range(MOST)]
    for row in rows:
        make_validation(row)
    client = sign_in(owner)
    client.get(reverse("potentials:compare"))
    with django_assert_max_num_queries(25):
        page = client.get(reverse("potentials:compare"), {"potential": ids(*rows)})
    assert len(page.context["columns"]) == MOST
    seventh = make_potential(owner, lab)
    page = client.get(reverse("potentials:compare"), {"potential": ids(*rows, seventh)})
    assert "these are the first six" in page.content.decode()


def test_the_api_gives_the_same_numbers(two, owner):
    client = APIClient()
    client.force_authenticate(owner)
    answer = client.get(reverse("api:potential-compare"), {"potential": ids(*two)}).json()
    assert [row["name"] for row in answer["potentials"]] == ["First", "Second"]
    group = next(group for group in answer["groups"] if group["name"] == "volume")
    assert [cell["value"] for cell in group["rows"][0]["cells"]] == [90.0, 101.0]
