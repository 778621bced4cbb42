"""A person's way through the site: structure, data, training, molecular dynamics, RDF."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MINUTE = 60_000  # ms

POSCAR = """silicon ダイヤ
5.43
 1.0 0.0 0.0
 0.0 1.0 0.0
 0.0 0.0 1.0
Si
8
Direct
0.00 0.00 0.00
0.00 0.50 0.50
0.50 0.00 0.50
0.50 0.50 0.00
0.25 0.25 0.25
0.25 0.75 0.75
0.75 0.25 0.75
0.75 0.75 0.25
"""


def wait_until_done(page: Any, minutes: float) -> None:
    """Wait for the run of this page; say why when it fails."""
    state = page.locator("main .state").filter(has_text=re.compile("^(done|failed|blocked)$"))
    expect(state.first).to_be_visible(timeout=minutes * MINUTE)
    assert state.first.inner_text().strip() == "done", page.locator("main").inner_text()[:3000]


def plot_has_curves(page: Any, figure: Any) -> None:
    figure.scroll_into_view_if_needed()
    expect(figure.locator(".js-plotly-plot .trace, .js-plotly-plot .bars").first).to_be_attached(
        timeout=30_000
    )


def test_from_a_structure_and_data_to_a_radial_distribution(
    page: Any, site: Site, tmp_path: Path
) -> None:
    structure = _bring_a_structure(page, site, tmp_path)
    _look_at_the_data(page, site)
    _train(page, site)
    _simulate(page, site, structure)
    _ask_the_api(page, site)


def _bring_a_structure(page: Any, site: Site, folder: Path) -> str:
    path = folder / "silicon ダイヤ <b>.poscar"
    path.write_text(POSCAR)
    page.goto(f"{site.url}/structures/new/")
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Upload files").click()
    # The page of the upload refreshes itself until a worker has read the file.
    page.locator("main table a[href*='/structures/']").first.click(timeout=60_000)
    page.wait_for_url(re.compile(r"/structures/[0-9a-f-]{36}/"))
    expect(page.locator(".viewer canvas").first).to_be_visible(timeout=30_000)
    expect(page.locator(".viewer-pick")).to_contain_text("Si")
    page.get_by_label("Pick the atom with this number").fill("1")
    page.keyboard.press("Enter")
    page.get_by_label("Pick the atom with this number").fill("5")
    page.keyboard.press("Enter")
    expect(page.locator(".viewer-pick")).to_contain_text("2.351 Å")
    return page.locator("main h1").inner_text()


def _look_at_the_data(page: Any, site: Site) -> None:
    page.goto(f"{site.url}/data/")
    page.get_by_role("link", name=re.compile("^Silicon")).first.click()
    expect(page.locator("main")).to_contain_text("205")
    plot_has_curves(page, page.locator("[data-plot]").first)
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("extxyz")).first.click()
    assert "Lattice=" in Path(download.value.path()).read_text()[:2000]


def _train(page: Any, site: Site) -> None:
    page.goto(f"{site.url}/train/")
    page.get_by_label(re.compile("^Silicon")).check()
    page.get_by_label("Name of the potential").fill("Silicon by browser")
    page.get_by_label("Effort").select_option("quick")
    expect(page.locator(".form-preview")).to_contain_text("205 frames", timeout=15_000)
    page.get_by_role("button", name="Train potential").click()
    page.wait_for_url(re.compile(r"/train/[0-9a-f-]{36}/"))
    wait_until_done(page, 6)
    page.reload()
    for figure in page.locator("[data-plot]").all():
        plot_has_curves(page, figure)
    page.get_by_role("link", name="Open potential").click()
    expect(page.locator("main h1")).to_contain_text("Silicon by browser")
    plot_has_curves(page, page.locator("[data-plot]").first)
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("zip", re.I)).first.click()
    assert Path(download.value.path()).read_bytes()[:2] == b"PK"


def _simulate(page: Any, site: Site, structure: str) -> None:
    page.get_by_role("link", name="Run MD").first.click()
    page.wait_for_url(re.compile("/md/"))
    page.get_by_label("Name", exact=False).first.fill("Silicon at 300 K")
    for select in page.locator("main form select").all():
        for option in select.locator("option").all_inner_texts():
            if structure in option or "Silicon by browser" in option:
                select.select_option(label=option)
    page.get_by_role("button", name="Run MD").click()
    page.wait_for_url(re.compile(r"/md/[0-9a-f-]{36}/"))
    wait_until_done(page, 6)
    page.reload()
    for name in ("temperature", "rdf"):
        plot_has_curves(page, page.locator(f"figure#{name}, [data-plot*='/{name}']").first)
    player = page.locator("[data-trajectory]").last  # candidates have a player, too
    player.scroll_into_view_if_needed()
    expect(player.get_by_role("button", name="Play")).to_be_visible(timeout=30_000)
    player.get_by_role("button", name="One frame on").click()
    expect(player.locator(".viewer-player")).to_contain_text("frame 2 of")


def _ask_the_api(page: Any, site: Site) -> None:
    page.goto(f"{site.url}/account/tokens/")
    page.get_by_label("What is it for").fill("browser test")
    page.get_by_role("button", name="Make token").click()
    secret = page.locator(".secret-line code").inner_text()
    request = urllib.request.Request(  # noqa: S310 - our own address
        f"{site.url}/api/v1/potentials/", headers={"Authorization": f"Bearer {secret}"}
    )
    found = json.load(urllib.request.urlopen(request))  # noqa: S310
    assert "Silicon by browser" in [row["name"] for row in found["results"]]
