"""What stands out, and one click that leaves it out or takes it back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from django.urls import reverse

from datasets.duplicates import duplicates_find
from datasets.models import Calculation, Frame
from datasets.outliers import Criterion, outliers_find, robust_scores
from datasets.parser.measures import frame_measures, hubbard_words, k_spacing, run_type
from datasets.services import frames_exclude, frames_insert, frames_restore
from mlmd.frame import Calculation as Level
from mlmd.structure.distance import closest_pair
from tests.datasets.factories import make_dataset, make_frame, make_frames


def lattice(seed: int, energy: float = 0.0, force: float = 1.0, near: float = 2.5):
    """Return two atoms `near` apart with small noise, so that only what is asked for stands out."""
    rng = np.random.default_rng(seed)
    noise = 0.01 * rng.normal()
    return make_frame(
        seed,
        positions=np.array([[0.0, 0, 0], [near + noise, 0, 0]]),
        cell=np.eye(3) * 8.0,
        energy=-200.0 + 0.1 * float(rng.normal()) + energy,
        forces=np.array([[force * 10 ** (0.1 * rng.normal()), 0, 0], [0, 0, 0]]),
    )


@pytest.fixture
def dataset(owner, lab):
    usual = [lattice(i) for i in range(30)]
    odd = [lattice(40, energy=50.0), lattice(41, force=1000.0), lattice(42, near=0.8)]
    return make_dataset(owner, lab, frames=[*usual, *odd])


def test_exactly_the_odd_frames_stand_out(dataset):
    found = outliers_find(Frame.objects.filter(dataset=dataset).current())
    assert {(o.frame.ionic_step, o.criterion) for o in found} == {
        (40, Criterion.ENERGY),
        (41, Criterion.FORCE),
        (42, Criterion.DISTANCE),
    }
    by = {o.criterion: o for o in found}
    assert by[Criterion.ENERGY].score > 5
    assert by[Criterion.DISTANCE].score < -5
    assert by[Criterion.DISTANCE].value == pytest.approx(0.8, abs=0.05)
    assert by[Criterion.FORCE].group == "Si"


def test_few_frames_are_not_judged(owner, lab):
    few = make_dataset(owner, lab, frames=[lattice(i, energy=100.0 * (i == 3)) for i in range(5)])
    assert outliers_find(Frame.objects.filter(dataset=few)) == []


def test_one_odd_value_among_equal_ones_stands_out():
    values = np.zeros(40)
    assert not robust_scores(values).any()
    values[7] = 1.0
    assert np.argmax(robust_scores(values)) == 7
    assert robust_scores(values)[7] > 5


def test_one_click_leaves_out_and_one_takes_back(page, dataset):
    url = reverse("datasets:outliers", args=[dataset.public_id])
    text = page.get(url).content.decode()
    assert text.count("Leave out</button>") == 3
    odd = Frame.objects.get(ionic_step=40)
    post = reverse("datasets:exclude", args=[dataset.public_id])
    answer = page.post(
        post, {"frame": str(odd.public_id), "next": f"{dataset.get_absolute_url()}#outliers"}
    )
    assert answer["Location"].endswith("#outliers")
    text = page.get(url).content.decode()
    assert text.count("Leave out</button>") == 2
    assert text.count("Take back</button>") == 1
    assert "excluded" in page.get(odd.get_absolute_url()).content.decode()
    page.post(post, {"frame": str(odd.public_id), "restore": "1"})
    assert page.get(url).content.decode().count("Leave out</button>") == 3


def test_the_dataset_page_fetches_them_and_the_api_lists_them(page, dataset):
    text = page.get(dataset.get_absolute_url()).content.decode()
    assert f'hx-get="{reverse("datasets:outliers", args=[dataset.public_id])}"' in text
    rows = page.get(reverse("api:dataset-outliers", args=[dataset.public_id])).json()
    assert {row["criterion"] for row in rows} == {"energy", "force", "distance"}
    assert all(abs(row["score"]) > 5 for row in rows)


@pytest.fixture
def doubled(owner, lab):
    """Return a dataset with a structure three times, one of them with another energy, and a pair."""
    frames = [*make_frames(4), make_frame(1), make_frame(1, energy=-150.0), make_frame(2)]
    frames.append(make_frame(3, calculation=Level(code="vasp", functional="SCAN")))
    return make_dataset(owner, lab, frames=frames)


def test_duplicates_are_shown_with_how_much_they_disagree(page, doubled):
    found = duplicates_find(Frame.objects.filter(dataset=doubled).current())
    assert [(d.frame.ionic_step, d.count, d.disagree) for d in found] == [
        (1, 3, True),
        (2, 2, False),
    ]
    assert found[0].spread == pytest.approx(abs(make_frame(1).energy + 150) / 2)
    text = page.get(reverse("datasets:outliers", args=[doubled.public_id])).content.decode()
    assert "disagree" in text
    rows = page.get(reverse("api:dataset-duplicates", args=[doubled.public_id])).json()
    assert [(row["count"], row["disagree"]) for row in rows] == [(3, True), (2, False)]
    assert rows[0]["frame"] == str(found[0].frame.public_id)


def test_one_click_keeps_the_first_of_duplicates(page, doubled):
    url = reverse("datasets:exclude", args=[doubled.public_id])
    current = Frame.objects.filter(dataset=doubled).current()
    identity = current.filter(ionic_step=2).first().label_identity
    page.post(url, {"duplicates": identity})
    assert current.count() == 7
    page.post(url, {"duplicates": "all"})
    assert sorted(current.values_list("ionic_step", flat=True)) == [0, 1, 2, 3, 3]
    assert current.get(ionic_step=1).pk == min(
        Frame.objects.filter(ionic_step=1).values_list("pk", flat=True)
    )
    page.post(url, {"restore": "1", "all": "1"})
    assert current.count() == 8


def test_mixed_levels_are_named_where_one_looks_and_in_the_files(page, doubled):
    text = page.get(reverse("datasets:outliers", args=[doubled.public_id])).content.decode()
    assert "levels of theory: espresso / PBE / 400 eV; vasp / SCAN" in text
    assert "These files mix levels" in page.get(doubled.get_absolute_url()).content.decode()
    url = reverse("datasets:download", args=[doubled.public_id, "n2p2"])
    lines = b"".join(page.get(url)).decode().splitlines()
    comments = [line for line in lines if line.startswith("comment")]
    assert sum('level="espresso / PBE / 400 eV"' in line for line in comments) == 7
    assert sum('level="vasp / SCAN"' in line for line in comments) == 1


def test_going_back_leads_to_where_the_list_was_seen(page, dataset):
    url = reverse("datasets:outliers", args=[dataset.public_id])
    assert f'value="{url}#outliers"' in page.get(url).content.decode()
    inside = page.get(url, headers={"HX-Request": "true"}).content.decode()
    assert f'value="{dataset.get_absolute_url()}#outliers"' in inside


@pytest.mark.parametrize("seed", range(12))
def test_the_quick_search_of_the_closest_pair_agrees_with_all_images(seed):
    rng = np.random.default_rng(seed)
    cell = np.eye(3) * 6 + rng.normal(scale=1.2, size=(3, 3))
    positions = rng.uniform(-8, 8, (int(rng.integers(2, 30)), 3))
    shifts = np.array(np.meshgrid(*[range(-3, 4)] * 3)).reshape(3, -1).T @ cell
    steps = positions[:, None, None] - positions[None, :, None] + shifts
    sizes = np.linalg.norm(steps, axis=-1)
    found = closest_pair(positions, cell, (True, True, True))
    assert found is not None
    assert found.distance == pytest.approx(sizes[sizes > 1e-9].min(), abs=1e-9)


def test_measures_have_their_signs_and_units():
    frame = replace(make_frame(0), stress=np.eye(3) * -0.1, cell=np.diag([2.0, 4.0, 8.0]))
    measures = frame_measures(replace(frame, calculation=Level(k_points=(4, 2, 1))))
    assert measures.pressure == pytest.approx(16.021766, rel=1e-6)
    assert measures.k_spacing == pytest.approx(2 * np.pi / 8)
    assert k_spacing(np.zeros((3, 3)), (1, 1, 1)) is None
    assert hubbard_words(Level(hubbard_u={"Ni": 6.2, "Fe": 4.0, "O": 0.0})) == "Fe 4 eV, Ni 6.2 eV"


@pytest.mark.parametrize(
    ("code", "given", "expected"),
    [
        ("vasp", {"IBRION": 0, "NSW": 100}, "md"),
        ("vasp", {"IBRION": "2", "NSW": "50"}, "relaxation"),
        ("vasp", {"IBRION": -1, "NSW": 0}, "static"),
        ("vasp", {"IBRION": 6, "NSW": 1}, "vibrations"),
        ("vasp", {}, ""),
        ("espresso", {"calculation": "vc-relax"}, "relaxation"),
        ("espresso", {"calculation": "scf"}, "static"),
        ("unknown", {}, ""),
    ],
)
def test_the_type_of_a_run_is_read_from_its_settings(code, given, expected):
    assert run_type(Level(code=code, settings=given)) == expected


def test_energies_refer_to_the_lowest_of_composition_and_level(owner, lab):
    scan = Level(code="vasp", functional="SCAN")
    made = [
        make_frame(0, (14, 14), energy=-10.0),
        make_frame(1, (14,), energy=-4.0),
        make_frame(2, (14, 14), energy=-30.0, calculation=scan),
        make_frame(3, (14, 8), energy=-12.0),
    ]
    dataset = make_dataset(owner, lab, frames=made)

    def above() -> list[float | None]:
        rows = Frame.objects.current().order_by("ionic_step")
        return list(rows.values_list("energy_above", flat=True))

    assert above() == pytest.approx([0.0, 1.0, 0.0, 0.0])
    frames_insert(dataset=dataset, actor=owner, frames=[make_frame(4, (14, 14), energy=-14.0)])
    assert above() == pytest.approx([2.0, 3.0, 0.0, 0.0, 0.0])
    lowest = Frame.objects.filter(ionic_step=4)
    frames_exclude(dataset=dataset, actor=owner, frames=lowest)
    assert above() == pytest.approx([0.0, 1.0, 0.0, 0.0])
    frames_restore(dataset=dataset, actor=owner, frames=lowest)
    assert above() == pytest.approx([2.0, 3.0, 0.0, 0.0, 0.0])
    assert Calculation.objects.filter(dataset=dataset).count() == 2


def test_energies_refer_to_the_hull_over_compositions(owner, lab):
    made = [
        make_frame(0, (14,), energy=-5.0),
        make_frame(1, (8,), energy=-4.0),
        make_frame(2, (14, 8, 8), energy=-18.0),  # SiO2, on the hull
        make_frame(3, (14, 8), energy=-9.5),  # ½ Si + ½ SiO2 has (−5 − 18) / 2 per SiO
        make_frame(4, (14, 14, 8, 8), energy=-20.0),
    ]
    dataset = make_dataset(owner, lab, frames=made)

    def above() -> list[float]:
        rows = Frame.objects.current().order_by("ionic_step")
        return list(rows.values_list("energy_above", flat=True))

    assert above() == pytest.approx([0, 0, 0, 1.0, 0.75])
    silica = Frame.objects.filter(ionic_step=2)
    frames_exclude(dataset=dataset, actor=owner, frames=silica)
    assert above() == pytest.approx([0, 0, 0.25, 0])
    frames_restore(dataset=dataset, actor=owner, frames=silica)
    assert above() == pytest.approx([0, 0, 0, 1.0, 0.75])


def test_frames_without_energy_refer_to_nothing(owner, lab):
    make_dataset(owner, lab, frames=[*make_frames(2), make_frame(5, energy=None)])
    assert Frame.objects.get(ionic_step=5).energy_above is None
