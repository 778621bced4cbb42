"""An expert's way: train with own settings, bring a foreign potential, compare, download."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ase.build import bulk
from playwright.sync_api import expect

from mlmd import load, train
from mlmd.data import silicon_frames
from tests.browser.site import Site
from tests.browser.test_path import plot_has_curves, wait_until_done

pytestmark = [pytest.mark.browser, pytest.mark.slow]
OWN, FOREIGN = "Silicon by an expert", "Silicon from elsewhere"


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as n2p2 leaves it: its files, and nothing that says in which units they are."""
    folder = tmp_path_factory.mktemp("foreign")
    train(silicon_frames(), folder / "fit", "quick", epochs=4, hidden_nodes="8", stress_weight=0.0)
    files = folder / "fit" / "potential"
    (files / "units.json").unlink()
    return files


def test_train_as_an_expert_bring_one_compare_and_download(
    page: Any, site: Site, foreign: Path
) -> None:
    _train(page, site)
    _bring(page, site, foreign)
    _compare(page, site)
    _download(page, site, foreign)


# Chooses a file as soon as there is a field for it, which is before any script of the page runs.
_EARLY = """
new MutationObserver((_, observer) => {
  const field = document.querySelector("[name=files]");
  if (!field) return;
  observer.disconnect();
  const chosen = new DataTransfer();
  chosen.items.add(new File(["number_of_elements 1\\nelements Si\\n"], "input.nn"));
  field.files = chosen.files;
  window.scriptsRan = typeof htmx !== "undefined";
}).observe(document, { childList: true, subtree: true });
"""


def test_files_chosen_while_the_page_loads_are_looked_at(page: Any, site: Site) -> None:
    page.add_init_script(_EARLY)
    page.goto(f"{site.url}/potentials/upload/")
    assert page.evaluate("window.scriptsRan") is False
    expect(page.locator("#findings")).to_contain_text("scaling.data", timeout=15_000)


def _train(page: Any, site: Site) -> None:
    page.goto(f"{site.url}/train/")
    page.get_by_label(re.compile("^Silicon")).check()
    page.get_by_label("Name of the potential").fill(OWN)
    page.get_by_label("Effort").select_option("quick")
    page.locator("details.expert summary").first.click()
    for label, value in (("Epochs", "3"), ("Hidden layers", "9 7"), ("Cutoff radius", "5.5")):
        page.get_by_label(label).first.fill(value)
    expect(page.locator(".form-preview")).to_contain_text("205 frames", timeout=15_000)
    page.get_by_role("button", name="Train potential").click()
    page.wait_for_url(re.compile(r"/train/[0-9a-f-]{36}/"))
    wait_until_done(page, 6)
    page.reload()
    page.get_by_role("link", name="Open potential").click()
    expect(page.locator("main h1")).to_contain_text(OWN)
    expect(page.locator("main")).to_contain_text("5.50")
    plot_has_curves(page, page.locator("[data-plot]").first)


def _bring(page: Any, site: Site, files: Path) -> None:
    page.goto(f"{site.url}/potentials/")
    page.get_by_role("link", name="Add potential").click()
    page.locator("[name=files]").set_input_files(sorted(files.iterdir()))
    # What the files say is told before anything is sent for good.
    expect(page.locator("#findings")).to_contain_text("Si", timeout=15_000)
    page.locator("[name=name]").fill(FOREIGN)
    page.locator("[name=length_unit]").select_option("angstrom")
    page.locator("[name=energy_unit]").select_option("ev")
    page.locator("[name=not_for]").fill("Anything but this test.")
    page.get_by_role("button", name="Add potential").click()
    page.wait_for_url(re.compile(r"/potentials/[0-9a-f-]{36}/"))
    expect(page.locator("main h1")).to_contain_text(FOREIGN)
    expect(page.locator("main")).to_contain_text("Anything but this test.")


def _compare(page: Any, site: Site) -> None:
    page.goto(f"{site.url}/potentials/")
    for name in (OWN, FOREIGN):
        page.get_by_label(f"Compare {name} v1").check()
    page.get_by_role("button", name="Compare potentials").click()
    page.wait_for_url(re.compile(r"/potentials/compare/"))
    table = page.locator("table.compare")
    expect(table).to_contain_text(OWN)
    expect(table).to_contain_text(FOREIGN)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    text = Path(download.value.path()).read_text()
    assert OWN in text
    assert FOREIGN in text


def _download(page: Any, site: Site, files: Path) -> None:
    page.goto(f"{site.url}/potentials/")
    page.get_by_role("link", name=FOREIGN).first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("zip", re.I)).first.click()
    archive = zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
    held = {Path(name).name: archive.read(name) for name in archive.namelist()}
    # The numbers go out as they came in, now with their units, and can be computed with.
    for file in files.iterdir():
        assert held[file.name] == file.read_bytes()
    for name, content in held.items():
        (files.parent / name).write_bytes(content)
    atoms = bulk("Si", cubic=True)
    atoms.calc = load(files.parent)
    assert atoms.get_potential_energy() < 0
