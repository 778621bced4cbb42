"""Takes the pictures of the documentation from a fresh demo site: `make screenshots`.

Starts a site in a folder of its own, does the main job in it (silicon data, a quick potential,
molecular dynamics) and writes docs/images/*.png. Needs Chromium; takes two to three minutes.
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
SETTLED = 1500  # ms for plots and the 3D view to draw


def main() -> int:
    path = chromium()
    if path is None:
        print("Chromium is missing: apt-get install chromium", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_site(Path(folder)) as site,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        take_all(browser, site)
        browser.close()
    return 0


def take_all(browser: Any, site: Site) -> None:
    """Walk the path once and picture each stage; then the same pages dark and on a phone."""
    page = open_page(browser, site, DESK, "light")
    addresses = walk(page, site)
    dark = open_page(browser, site, DESK, "dark")
    phone = open_page(browser, site, PHONE, "light")
    for name, address in addresses.items():
        take(page, address, name)
    for name in ("potential", "simulation"):
        take(dark, addresses[name], f"{name}-dark")
        take(phone, addresses[name], f"{name}-phone")


def open_page(browser: Any, site: Site, size: dict[str, int], theme: str) -> Any:
    context = browser.new_context(viewport=size, color_scheme=theme, locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(30_000)
    sign_in(page, site)
    return page


def take(page: Any, address: str, name: str) -> None:
    page.goto(address)
    if name == "validation":
        page.locator("#check-volume").evaluate("e => e.scrollIntoView()")
        page.mouse.wheel(0, -60)
    if name == "simulation":
        # The analyses say more than the list of results above them.
        page.get_by_role("heading", name="Structure and motion").evaluate("e => e.scrollIntoView()")
        page.mouse.wheel(0, -60)
    if name == "map":
        page.locator("#frame-map .point").first.wait_for(timeout=90_000)
        page.locator("#frame-map .plot-area").focus()
        page.keyboard.press("ArrowRight")
        page.locator(".map-viewer canvas").first.wait_for()
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"docs/images/{name}.png")


def walk(page: Any, site: Site) -> dict[str, str]:
    """Do the main job and return the address of each stage's page."""
    found = {"structure": build_crystal(page, site)}
    page.goto(f"{site.url}/data/")
    page.get_by_role("link", name=re.compile("^Silicon")).first.click()
    page.wait_for_url(re.compile(r"/data/[0-9a-f-]{36}/"))
    found["teacher-data"] = page.url
    found["map"] = f"{page.url}map/"
    found["frames"] = f"{site.url}/data/frames/"
    found["training"] = train(page, site)
    page.get_by_role("link", name="Open potential").click()
    page.wait_for_url(re.compile(r"/potentials/[0-9a-f-]{36}/"))
    found["potential"] = page.url
    found["validation"] = page.url
    found["simulation"] = simulate(page)
    found["runs"] = f"{site.url}/runs/"
    found["home"] = f"{site.url}/"
    found["api"] = f"{site.url}/api/docs/"
    return found


def build_crystal(page: Any, site: Site) -> str:
    page.goto(f"{site.url}/structures/new/")
    page.get_by_label("Elements").fill("Si")
    page.get_by_role("button", name="Build crystal").click()
    page.wait_for_url(re.compile(r"/structures/[0-9a-f-]{36}/"))
    address: str = page.url
    return address


def train(page: Any, site: Site) -> str:
    page.goto(f"{site.url}/train/")
    page.get_by_label(re.compile("^Silicon")).check()
    page.get_by_label("Name of the potential").fill("Silicon, first look")
    page.get_by_label("Effort").select_option("quick")
    page.get_by_role("button", name="Train potential").click()
    page.wait_for_url(re.compile(r"/train/[0-9a-f-]{36}/"))
    page.wait_for_timeout(8000)
    page.screenshot(path=IMAGES / "training-running.png")
    return finished(page)


def simulate(page: Any) -> str:
    page.get_by_role("link", name="Run MD").first.click()
    page.wait_for_url(re.compile("/md/"))
    page.get_by_label("Name", exact=False).first.fill("Silicon at 300 K")
    for choice in page.locator("main form select:visible").all():
        if not choice.input_value():
            choice.select_option(index=1)
    page.get_by_role("button", name="Run MD").click()
    page.wait_for_url(re.compile(r"/md/[0-9a-f-]{36}/"))
    return finished(page)


def finished(page: Any) -> str:
    """Wait for the run of this page and return its address."""
    state = page.locator("main .state").filter(has_text=re.compile("^(done|failed|blocked)$"))
    state.first.wait_for(timeout=600_000)
    if state.first.inner_text().strip() != "done":
        raise RuntimeError(f"the run of {page.url} went wrong")
    page.reload()
    address: str = page.url
    return address


if __name__ == "__main__":
    sys.exit(main())
