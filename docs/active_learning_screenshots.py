"""Takes the pictures of docs/active-learning.md: `python docs/active_learning_screenshots.py`.

Starts a site, trains a committee on the bundled silicon data, runs MD that is too hot for it, and
opens the form that computes what was put aside. Needs Chromium; takes about two minutes.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from tests.browser.site import FLAGS, Site, chromium, running_site, sign_in  # noqa: E402

IMAGES = REPOSITORY / "docs" / "images"
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
SETTLED = 2500  # ms for plots and the 3D view to draw
ENDS_WITHIN = 240_000  # ms


def main() -> int:
    path = chromium()
    if path is None:
        print("Chromium is missing: apt-get install chromium", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory() as folder,
        running_site(Path(folder)) as site,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        page = open_page(browser, site, DESK)
        build_crystal(page, site)
        train(page, site)
        address = simulate(page)
        show(page, address, "candidates")
        show(open_page(browser, site, PHONE), address, "candidates-phone")
        page.get_by_role("button", name="Compute these with DFT").click()
        page.wait_for_url(re.compile("/structures/compute/"))
        take(page, "candidates-dft")
        browser.close()
    return 0


def open_page(browser: Any, site: Site, size: dict[str, int]) -> Any:
    page = browser.new_context(viewport=size, locale="en-GB").new_page()
    page.set_default_timeout(30_000)
    sign_in(page, site)
    return page


def show(page: Any, address: str, name: str) -> None:
    page.goto(address)
    heading = page.get_by_role("heading", name="Does the committee agree?")
    heading.evaluate("e => e.scrollIntoView()")
    page.mouse.wheel(0, -60)
    take(page, name)


def take(page: Any, name: str) -> None:
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"docs/images/{name}.png")


def build_crystal(page: Any, site: Site) -> None:
    page.goto(f"{site.url}/structures/new/")
    page.get_by_label("Elements").fill("Si")
    page.get_by_role("button", name="Build crystal").click()
    page.wait_for_url(re.compile(r"/structures/[0-9a-f-]{36}/"))


def train(page: Any, site: Site) -> None:
    page.goto(f"{site.url}/train/")
    page.get_by_label(re.compile("^Silicon")).check()
    page.get_by_label("Name of the potential").fill("Silicon, committee of four")
    page.get_by_label("Effort").select_option("quick")
    page.get_by_text("Expert settings").click()
    page.get_by_label("Committee", exact=True).fill("4")
    page.get_by_role("button", name="Train potential").click()
    page.wait_for_url(re.compile(r"/train/[0-9a-f-]{36}/"))
    finish(page)
    page.get_by_role("link", name="Open potential").click()
    page.wait_for_url(re.compile(r"/potentials/[0-9a-f-]{36}/"))


def simulate(page: Any) -> str:
    page.get_by_role("link", name="Run MD").first.click()
    page.wait_for_url(re.compile("/md/"))
    page.get_by_label("Name", exact=False).first.fill("Silicon at 2500 K")
    page.get_by_label("Temperature", exact=True).fill("2500")
    page.get_by_label("Time", exact=True).first.fill("4")
    take(page, "committee-md-form")
    page.get_by_role("button", name="Run MD").click()
    page.wait_for_url(re.compile(r"/md/[0-9a-f-]{36}/"))
    finish(page)
    address: str = page.url
    return address


def finish(page: Any) -> None:
    state = page.locator("main .state").filter(has_text=re.compile("^(done|failed|blocked)$"))
    state.first.wait_for(timeout=ENDS_WITHIN)
    if state.first.inner_text().strip() != "done":
        raise RuntimeError(f"the run of {page.url} went wrong")
    page.reload()


if __name__ == "__main__":
    raise SystemExit(main())
