"""The periodic table and the map on pages: what they say, what is chosen on them, who may see."""

from __future__ import annotations

import json
from urllib.parse import quote

import numpy as np
import pytest
from django.urls import reverse

from datasets.coverage import ElementCoverage
from datasets.maps import Colour
from datasets.models import Dataset, DatasetSurvey, Frame, FramePlace
from datasets.periodic import periodic_table
from datasets.services.surveys import dataset_survey
from tests.datasets.factories import make_dataset, make_frame, make_frames, make_version

ALL = "1~-900,-900~900,-900~900,900~-900,900"


@pytest.fixture
def dataset(owner, lab):
    frames = [*make_frames(8), *(make_frame(i, (14, 8), kind="glass") for i in range(20, 24))]
    made = make_dataset(owner, lab, frames=frames)
    dataset_survey(dataset_id=made.pk)
    made.refresh_from_db()
    return made


def to_the_right(dataset: Dataset) -> tuple[str, set[str]]:
    """Return a region with half of the places, and the ids of the frames in it."""
    rows = FramePlace.objects.filter(frame__dataset=dataset).order_by("x")
    xs = [x for (x,) in rows.values_list("x")]
    middle = (xs[5] + xs[6]) / 2
    region = f"1~{middle},-900~900,-900~900,900~{middle},900"
    inside = rows.filter(x__gt=middle).values_list("frame__public_id", flat=True)
    return region, {str(public_id) for public_id in inside}


def test_the_periodic_table_has_its_shape_and_shades_by_frames():
    covered = {"Si": ElementCoverage(1000, 9000, 0.0, 3.25), "Lu": ElementCoverage(1, 4)}
    squares = {s.symbol: s for s in periodic_table(covered, {"O"}, ("Si",))}
    assert len(squares) == 118
    places = {s: (squares[s].row, squares[s].column) for s in ("H", "He", "Si", "Fe", "Lu", "Og")}
    expected = {"H": (1, 1), "He": (1, 18), "Si": (3, 14), "Fe": (4, 8), "Lu": (9, 17)}
    assert places == expected | {"Og": (7, 18)}
    assert (squares["Si"].shade, squares["Lu"].shade, squares["O"].shade) == (100, 12, 0)
    assert squares["Si"].words == "Si: 1,000 frames, 9,000 atoms, largest forces 0 to 3.25 eV/Å"
    assert squares["Lu"].words == "Lu: 1 frame, 4 atoms"
    assert squares["O"].known
    assert squares["Si"].chosen
    assert not squares["Fe"].known


def test_a_dataset_page_says_how_well_each_element_is_covered(page, dataset):
    text = page.get(dataset.get_absolute_url()).content.decode()
    assert 'aria-label="Si: 12 frames, 20 atoms, largest forces' in text
    assert f"?dataset={dataset.public_id}&amp;elements=O" in text
    coverage = page.get(reverse("api:dataset-coverage", args=[dataset.public_id])).json()
    assert (coverage["O"]["frames"], coverage["O"]["atoms"]) == (4, 4)


def test_a_version_is_covered_by_its_own_frames(page, owner, lab, dataset):
    version = make_version(owner, lab, frames=[make_frame(1, (26, 26))])
    text = page.get(version.get_absolute_url()).content.decode()
    assert 'aria-label="Fe: 1 frame, 2 atoms' in text


def test_the_catalog_shades_what_one_may_see(page, dataset, client, stranger):
    text = page.get(reverse("datasets:frames")).content.decode()
    assert "O: 4 frames, 4 atoms" in text
    client.force_login(stranger)
    assert "O: no frames" in client.get(reverse("datasets:frames")).content.decode()


@pytest.mark.parametrize("colour", list(Colour))
def test_every_colour_draws_every_frame_with_its_id(page, dataset, colour):
    url = reverse("datasets:map-points", args=[dataset.public_id])
    figure = page.get(f"{url}?colour={colour}").json()
    ids = [facts[0] for trace in figure["data"] for facts in trace["customdata"]]
    known = Frame.objects.filter(dataset=dataset).values_list("public_id", flat=True)
    assert sorted(ids) == sorted(map(str, known))
    assert "12 frames" in figure["alt"]
    if colour is Colour.KIND:
        assert [trace["name"] for trace in figure["data"]] == ["liquid", "glass"]
    if colour is Colour.ENERGY:
        energies = Frame.objects.values_list("energy_per_atom", flat=True)
        assert sorted(figure["data"][0]["marker"]["color"]) == pytest.approx(sorted(energies), 1e-4)


def test_the_api_gives_the_same_map(page, dataset):
    figure = page.get(reverse("api:dataset-map", args=[dataset.public_id]) + "?colour=force").json()
    page_url = reverse("datasets:map-points", args=[dataset.public_id]) + "?colour=force"
    assert figure == page.get(page_url).json()


def test_an_unknown_colour_is_refused(page, dataset):
    url = reverse("datasets:map-points", args=[dataset.public_id]) + "?colour=mood"
    answer = page.get(url, headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert "energy" in answer.json()["detail"]
    map_page = reverse("datasets:map", args=[dataset.public_id])
    text = page.get(f"{map_page}?colour=mood", follow=True).content.decode()
    assert "“mood” isn&#x27;t possible" in text


def test_a_map_that_is_not_drawn_yet_says_so_and_looks_again(page, owner, lab):
    dataset = make_dataset(owner, lab)
    text = page.get(reverse("datasets:map", args=[dataset.public_id])).content.decode()
    assert "The map is being drawn" in text
    assert 'hx-trigger="every 2s"' in text
    dataset_survey(dataset_id=dataset.pk)
    text = page.get(reverse("datasets:map", args=[dataset.public_id])).content.decode()
    assert "data-plot" in text
    assert "hx-trigger" not in text


def test_two_frames_make_no_map(page, owner, lab):
    dataset = make_dataset(owner, lab, frames=make_frames(2))
    text = page.get(reverse("datasets:map", args=[dataset.public_id])).content.decode()
    assert "at least three frames" in text


def test_what_is_chosen_on_the_map_is_counted_listed_and_downloaded(page, dataset):
    region, inside = to_the_right(dataset)
    url = reverse("datasets:map-region", args=[dataset.public_id])
    answer = page.get(f"{url}?region={quote(region)}").json()
    assert answer["count"] == len(inside) == 6
    text = page.get(answer["url"]).content.decode()
    assert "6 frames" in text
    assert "chosen on the map" in text
    found = page.get(f"/api/v1/frames/?{answer['query']}").json()
    assert {row["public_id"] for row in found["results"]} == inside
    download = reverse("datasets:frames-download", args=["jsonl"])
    lines = b"".join(page.get(f"{download}?{answer['query']}")).splitlines()
    assert len(lines) == 6


def test_what_is_chosen_on_the_map_becomes_a_dataset(page, dataset):
    region, inside = to_the_right(dataset)
    sent = {"name": "Right half", "query": f"dataset={dataset.public_id}&region={region}"}
    page.post(reverse("datasets:collect"), sent)
    rows = Frame.objects.filter(dataset__name="Right half")
    sources = rows.values_list("copied_from__public_id", flat=True)
    assert {str(public_id) for public_id in sources} == inside


def test_what_is_chosen_on_the_map_is_left_out_and_taken_back(page, dataset):
    region, inside = to_the_right(dataset)
    url = reverse("datasets:exclude", args=[dataset.public_id])
    page.post(url, {"region": region})
    current = Frame.objects.filter(dataset=dataset).current()
    assert current.count() == 6
    assert not inside & {str(row.public_id) for row in current}
    text = page.get(reverse("datasets:map", args=[dataset.public_id])).content.decode()
    assert "6 frames are left out" in text
    page.post(url, {"restore": "1", "all": "1"})
    assert current.all().count() == 12


def test_four_numbers_choose_without_a_pointer(page, dataset):
    url = reverse("datasets:map-box", args=[dataset.public_id])
    answer = page.get(f"{url}?x1=-900&x2=900&y1=-900&y2=900", follow=True)
    assert "12 frames" in answer.content.decode()
    wrong = page.get(f"{url}?x1=left&x2=1&y1=0&y2=1", follow=True)
    assert "isn&#x27;t a number" in wrong.content.decode()


def test_a_region_of_an_older_map_is_refused_in_words(page, dataset):
    DatasetSurvey.objects.update(drawn=2)
    url = reverse("datasets:frames") + f"?dataset={dataset.public_id}&region={quote(ALL)}"
    answer = page.get(url)
    assert answer.status_code == 400
    assert "drawn anew" in answer.content.decode()


def test_a_region_needs_its_dataset(page, dataset):
    answer = page.get(f"/api/v1/frames/?region={quote(ALL)}")
    assert answer.status_code == 400
    assert "needs its dataset" in json.dumps(answer.json())


def test_a_guest_looks_but_leaves_nothing_out(client, guest, dataset):
    client.force_login(guest)
    text = client.get(reverse("datasets:map", args=[dataset.public_id])).content.decode()
    assert "Leave out of the next version" not in text
    url = reverse("datasets:exclude", args=[dataset.public_id])
    assert client.post(url, {"region": ALL}).status_code == 403
    assert Frame.objects.current().count() == 12


def test_a_stranger_sees_no_map_and_no_places(client, stranger, dataset):
    client.force_login(stranger)
    for name in ("map", "map-points", "map-region"):
        url = reverse(f"datasets:{name}", args=[dataset.public_id])
        assert client.get(f"{url}?region={quote(ALL)}").status_code == 404
    found = client.get(f"/api/v1/frames/?dataset={dataset.public_id}&region={quote(ALL)}")
    assert found.status_code == 400


def test_a_map_shows_the_frames_of_the_version(page, owner, lab):
    version = make_version(owner, lab, frames=make_frames(5))
    dataset_survey(dataset_id=version.dataset_id)
    rows = Frame.objects.filter(dataset=version.dataset)
    rows.filter(ionic_step=4).update(removed_in=2)
    url = reverse("datasets:map-points", args=[version.dataset.public_id])
    counts = [
        sum(len(trace["x"]) for trace in page.get(url + suffix).json()["data"])
        for suffix in ("", "?version=1")
    ]
    assert counts == [4, 5]
    assert np.isfinite(FramePlace.objects.values_list("x", flat=True)).all()
