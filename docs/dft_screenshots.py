"""Takes the pictures of docs/dft.md: `python docs/dft_screenshots.py`.

Starts a site, makes a set of silicon cells and computes it with the real pw.x and a time limit that
is too short for all of them. Needs Chromium, quantum-espresso and quantum-espresso-data; takes about
two minutes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from tests.browser.site import FLAGS, Site, chromium, running_site, sign_in  # noqa: E402

IMAGES = REPOSITORY / "docs" / "images"
EXAMPLES = Path("/usr/share/espresso/pseudo")
FILES = ("Si.pbe-rrkj.UPF", "O.pbe-rrkjus.UPF", "C.pbe-rrkjus.UPF", "N.pbe-kjpaw.UPF")
SETTLED = 1500  # ms
ENDS_WITHIN = 240_000  # ms


def main() -> int:
    path = chromium()
    if path is None or not EXAMPLES.is_dir():
        print("Needs chromium, quantum-espresso and quantum-espresso-data.", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory() as folder,
        running_site(Path(folder)) as site,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        page = browser.new_context(
            viewport={"width": 1280, "height": 800}, locale="en-GB"
        ).new_page()
        page.set_default_timeout(30_000)
        sign_in(page, site)
        make_family(page, site)
        make_set(page, site)
        compute(page)
        browser.close()
    return 0


def take(page: Any, name: str, *, whole: bool = False) -> None:
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=IMAGES / f"{name}.png", full_page=whole)
    print(f"docs/images/{name}.png")


def make_family(page: Any, site: Site) -> None:
    page.goto(f"{site.url}/pseudopotentials/")
    page.get_by_label("Name").fill("PBE examples")
    page.get_by_label("Licence").fill("GPL-2.0")
    page.locator("input[type=file]").set_input_files([EXAMPLES / name for name in FILES])
    page.get_by_role("button", name="Make family").click()
    page.get_by_text("files were added").wait_for()
    take(page, "pseudopotentials")


def make_set(page: Any, site: Site) -> None:
    page.goto(f"{site.url}/structures/new/")
    page.get_by_label("Elements").fill("Si")
    page.get_by_role("button", name="Build crystal").click()
    page.get_by_role("link", name="Initial training set").click()
    for name, count in (
        ("Equation of state", 5),
        ("Strained cells", 6),
        ("Displaced cells", 12),
        ("Vacancies", 6),
        ("Distances of dimers", 4),
    ):
        page.get_by_label(name).fill(str(count))
    page.get_by_role("button", name="Make the set").click()
    page.get_by_text("structures were made").wait_for()
    take(page, "structure-set")


def compute(page: Any) -> None:
    page.get_by_role("link", name="Compute all").click()
    page.get_by_label("Protocol").select_option("fast")
    page.get_by_label("Pseudopotentials").select_option(label="PBE examples")
    page.get_by_text("Expert settings").click()
    page.get_by_label("k-point spacing").fill("0.5")
    page.get_by_label("Plane-wave cutoff").fill("14")
    page.get_by_label("Density cutoff").fill("4")
    page.get_by_label("Structures at a time").fill("1")
    page.get_by_label("Time limit").fill("0.01")
    page.get_by_text("Expert settings").click()
    page.get_by_text("roughly").wait_for()
    page.get_by_label("Protocol").evaluate("e => e.scrollIntoView()")
    take(page, "dft-form")
    page.get_by_role("button", name="Compute with DFT").click()
    page.get_by_role("button", name="Continue with the unfinished ones").wait_for(
        timeout=ENDS_WITHIN
    )
    take(page, "dft-run")


if __name__ == "__main__":
    sys.exit(main())
