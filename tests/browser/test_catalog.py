"""A person's way through the catalog: upload, outliers, a version, the map, a search, the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from playwright.sync_api import expect

from mlmd.formats import read_frames, write_frames
from mlmd.frame import Calculation, Frame
from tests.browser.site import REPOSITORY, Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
AXE = REPOSITORY / "node_modules" / "axe-core" / "axe.min.js"
MINUTE = 60_000  # ms
NAME = "Catalog by browser"
ODD = 999  # ionic step of the frame whose energy is mistyped in the file


def frames() -> Iterator[Frame]:
    """Yield rattled silicon and silicon carbide."""
    rng = np.random.default_rng(1)
    level = Calculation(code="espresso", functional="PBE", cutoff_energy=400.0)
    for step in range(40):
        atoms = bulk("Si", cubic=True) if step < 25 else bulk("SiC", "zincblende", 4.35, cubic=True)
        moved = rng.normal(size=(8, 3)) * 0.06
        yield Frame(
            numbers=atoms.numbers.astype(np.uint8),
            positions=atoms.positions + moved,
            cell=atoms.cell.array,
            energy=-800.0 + 20.0 * float((moved**2).sum()),
            forces=-4.0 * moved,
            ionic_step=step if step else ODD,
            label_source="ab initio",
            scf_converged=True,
            kind="diamond" if step < 25 else "carbide",
            calculation=level,
        )


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.extxyz"
    with path.open("w") as stream:
        first, *others = frames()
        write_frames([replace(first, energy=first.energy - 500.0), *others], stream, "extxyz")
    return path


def complaints(page: Any) -> list[str]:
    """Return what axe-core finds wrong with the page as it stands."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run().then(result => result.violations)")
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found]


def test_data_are_cleaned_published_searched_and_exported(
    page: Any, site: Site, upload: Path, tmp_path: Path
) -> None:
    _upload(page, site, upload)
    address = page.url
    _leave_the_outlier_out(page)
    _publish(page)
    _look_at_the_map(page, address)
    _follow_an_element(page, address)
    _search_and_export(page, address, tmp_path)


def _upload(page: Any, site: Site, path: Path) -> None:
    page.goto(f"{site.url}/data/upload/")
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_label("Name of the new dataset").fill(NAME)
    page.get_by_role("button", name="Upload data").click()
    page.wait_for_url(re.compile(r"/data/[0-9a-f-]{36}/"))
    expect(page.locator("#dataset-live")).to_contain_text("At a glance", timeout=MINUTE)


def _leave_the_outlier_out(page: Any) -> None:
    section = page.locator("#outliers")
    section.scroll_into_view_if_needed()
    row = section.get_by_role("row", name=re.compile("energy of its composition"))
    expect(row).to_have_count(1)
    row.get_by_role("button", name="Leave out").click()
    expect(page.locator(".notes")).to_contain_text("1 frame was left out of the draft")
    section = page.locator("#outliers")
    section.scroll_into_view_if_needed()
    expect(section).to_contain_text("Left out of the next version")
    section.get_by_role("button", name="Take back").click()
    expect(page.locator(".notes")).to_contain_text("1 frame is back")
    section = page.locator("#outliers")
    section.scroll_into_view_if_needed()
    row = section.get_by_role("row", name=re.compile("energy of its composition"))
    row.get_by_role("button", name="Leave out").click()
    expect(page.locator(".notes")).to_contain_text("1 frame was left out of the draft")


def _publish(page: Any) -> None:
    page.locator("summary", has_text="Publish version 1").click()
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.locator(".notes")).to_contain_text("39 frames that will never change")


def _look_at_the_map(page: Any, address: str) -> None:
    page.goto(f"{address.split('?')[0]}map/")
    points = page.locator("#frame-map .point")
    expect(points.first).to_be_attached(timeout=2 * MINUTE)
    expect(page.locator("#frame-map .plot-words")).to_contain_text("Map of 39 frames")
    page.locator("#frame-map .plot-area").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-map-facts]")).to_contain_text("8 atoms")
    expect(page.locator(".map-viewer .viewer canvas").first).to_be_visible(timeout=30_000)
    before = page.locator("[data-map-facts]").inner_text()
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-map-facts]")).not_to_have_text(before)
    page.get_by_label("Colour by").select_option("elements")
    # The box below must not be drawn while the points are coloured anew.
    expect(page.locator("#frame-map .plot-words")).to_contain_text("coloured by elements")
    expect(page.locator("#frame-map .legendtext", has_text="diamond")).to_have_count(0)
    expect(page.locator("#frame-map .legendtext").first).to_be_attached()
    page.get_by_role("button", name="Box").click()
    area = page.locator("#frame-map .nsewdrag").first.bounding_box()
    page.mouse.move(area["x"] + 3, area["y"] + 3)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] - 3, area["y"] + area["height"] - 3, steps=4)
    page.mouse.up()
    expect(page.locator("[data-map-count]")).to_have_text("39 frames are chosen.")
    assert complaints(page) == []
    page.locator("[data-map-list]").click()
    expect(page.locator(".filters-count")).to_contain_text("39 frames")
    expect(page.locator(".chips")).to_contain_text("chosen on the map")


def _follow_an_element(page: Any, address: str) -> None:
    page.goto(address)
    carbon = page.get_by_role("link", name=re.compile("^C: 15 frames, 60 atoms"))
    carbon.focus()
    assert complaints(page) == []
    page.keyboard.press("Enter")
    expect(page.locator(".filters-count")).to_contain_text("15 frames")
    expect(page.get_by_role("checkbox", name=re.compile("^C: 15 frames"))).to_be_checked()


def _search_and_export(page: Any, address: str, folder: Path) -> None:
    dataset = address.split("/data/")[1].split("/")[0]
    page.goto(f"{address.split('/data/')[0]}/data/frames/?dataset={dataset}")
    choice = page.get_by_label("Kind", exact=True)
    assert "diamond (24)" in choice.inner_text()
    choice.select_option("diamond")
    expect(page.locator(".filters-count")).to_contain_text("24 frames")
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("^extxyz")).first.click()
    path = folder / "found.extxyz"
    download.value.save_as(path)
    found = list(read_frames(path))
    expected = [f for f in frames() if f.kind == "diamond" and f.ionic_step != ODD]
    assert len(found) == len(expected) == 24
    for one, other in zip(found, expected, strict=True):
        assert one.ionic_step == other.ionic_step
        assert one.energy == other.energy
        assert np.array_equal(one.forces, other.forces)
        assert np.array_equal(one.positions, other.positions)
