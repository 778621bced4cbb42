"""Every page that links lead to: readable by everyone, in both themes, on desk and phone, quick.

It runs after `test_path.py` in the same site, so that there are runs and a potential to look at.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urlsplit

import pytest
from django.urls import Resolver404, resolve

from tests.browser.site import REPOSITORY, Site, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]
AXE = REPOSITORY / "node_modules" / "axe-core" / "axe.min.js"
NOT_PAGES = {
    "labs:sign-out",
    "portal:words",
    "portal:health",
    "portal:health-documents",
    "api:schema",
}
ALWAYS = {
    *("portal:home", "portal:search", "portal:api-docs"),
    *("labs:account", "labs:password", "labs:tokens", "labs:lab", "labs:audit"),
    *("datasets:structures", "datasets:structure-new", "datasets:list", "datasets:upload"),
    *("datasets:detail", "datasets:frames", "datasets:frame"),
    *("potentials:list", "potentials:train", "potentials:simulate"),
    *("jobs:list", "jobs:clusters"),
}
SLOWEST = 0.3  # s for the HTML of a page, on the demo data
SIZES = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}


def route(address: str) -> str | None:
    """Return the name of the page at an address of the site, None for downloads and the rest."""
    try:
        name = resolve(urlsplit(address).path).view_name
    except Resolver404:
        return None
    return None if name in NOT_PAGES or name.startswith(("api:", "admin:")) else name


@pytest.fixture(scope="module")
def pages(browser: Any, site: Site) -> dict[str, str]:
    """Return one address for every page that can be reached by links, by route name."""
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, site)
    found, waiting = {"portal:home": f"{site.url}/"}, [f"{site.url}/"]
    while waiting:
        page.goto(waiting.pop())
        links = page.evaluate(
            "[...document.querySelectorAll('a[href]:not([download])')].map(a => a.href)"
        )
        for link in links:
            address = urldefrag(link).url
            name = route(address) if address.startswith(site.url) else None
            if name and name not in found:
                head = page.request.get(address)
                if "text/html" in head.headers.get("content-type", ""):
                    found[name] = address
                    waiting.append(address)
    context.close()
    return found


def test_links_lead_to_every_page(pages: dict[str, str]) -> None:
    assert ALWAYS - set(pages) == set()


# Contrast depends on the theme and layout on the size: two of the four pairs show both.
@pytest.mark.parametrize(("size", "theme"), [("desk", "light"), ("phone", "dark")])
def test_no_page_keeps_anyone_out(
    browser: Any, site: Site, pages: dict[str, str], size: str, theme: str
) -> None:
    if not AXE.exists():
        pytest.fail("axe-core is missing: run `make assets` (npm ci)")
    context = browser.new_context(viewport=SIZES[size], color_scheme=theme)
    page = context.new_page()
    outside = {name: f"{site.url}{path}" for name, path in OUTSIDE.items()}
    complaints: list[str] = []
    for address in outside.values():
        page.goto(address)
        complaints += _complaints(page)
    sign_in(page, site)
    for address in (*pages.values(), f"{site.url}/no/such/page/"):
        page.goto(address)
        complaints += _complaints(page)
    context.close()
    assert complaints == [], "\n".join(complaints)


OUTSIDE = {
    "labs:sign-in": "/sign-in/",
    "labs:password-reset": "/password/reset/",
    "labs:password-reset-done": "/password/reset/sent/",
    "labs:password-reset-confirm": "/password/reset/x/y-z/",
    "labs:invitation": "/invitations/nothing/",
}


def _complaints(page: Any) -> Iterator[str]:
    # Folded parts hide what axe would look at.
    page.evaluate("document.querySelectorAll('main details').forEach(d => { d.open = true; })")
    page.wait_for_timeout(250)
    page.evaluate(AXE.read_text())
    where = urlsplit(page.url).path
    for violation in page.evaluate("axe.run().then(result => result.violations)"):
        nodes = "; ".join(node["html"][:140] for node in violation["nodes"][:3])
        yield f"{where}: {violation['id']}: {nodes}"
    page.evaluate("document.querySelectorAll('main details').forEach(d => { d.open = false; })")
    over = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    if over > 0:
        yield f"{where}: {over} px wider than the window"


def test_every_page_comes_quickly(page: Any, pages: dict[str, str]) -> None:
    slow = []
    for name, address in pages.items():
        best = min(_seconds(page, address) for _ in range(3))
        if best > SLOWEST:
            slow.append(f"{name}: {best * 1000:.0f} ms")
    assert slow == []


def _seconds(page: Any, address: str) -> float:
    began = time.perf_counter()
    assert page.request.get(address).ok
    return time.perf_counter() - began


def test_everything_can_be_reached_with_the_keyboard(page: Any, site: Site) -> None:
    page.goto(f"{site.url}/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "top-search"
    page.keyboard.type("silicon")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search/?q=silicon")
    page.locator(".lab-switcher summary").focus()
    page.keyboard.press("Enter")
    assert page.locator(".lab-switcher").get_attribute("open") is not None
    page.keyboard.press("Escape")
    assert page.locator(".lab-switcher").get_attribute("open") is None


def test_the_chosen_theme_stays_and_recolours_plots(
    page: Any, site: Site, pages: dict[str, str]
) -> None:
    page.goto(pages["datasets:detail"])
    plot = page.locator("[data-plot] .js-plotly-plot").first
    plot.wait_for()
    colour = "getComputedStyle(document.querySelector('[data-plot] .xtick text')).fill"
    light = page.evaluate(colour)
    page.locator(".top-tools summary").click()
    page.get_by_role("button", name="Dark").click()
    page.wait_for_function(f"{colour} !== {light!r}")
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_what_was_typed_is_back_after_leaving_and_gone_after_sending(page: Any, site: Site) -> None:
    page.goto(f"{site.url}/structures/new/")
    page.get_by_label("Elements").fill("Ge")
    page.goto(f"{site.url}/")
    page.goto(f"{site.url}/structures/new/")
    assert page.get_by_label("Elements").input_value() == "Ge"
    page.get_by_role("button", name="Build crystal").click()
    page.wait_for_url("**/structures/*-*/")
    page.goto(f"{site.url}/structures/new/")
    assert page.get_by_label("Elements").input_value() == ""


def test_a_form_says_what_is_missing_before_it_is_sent(page: Any, site: Site) -> None:
    page.goto(f"{site.url}/account/tokens/")
    page.get_by_role("button", name="Make token").click()
    assert page.locator(".has-error .field-error").first.inner_text() == "Please fill this in."
    assert page.evaluate("document.activeElement.name") == "name"


def test_without_webgl_the_atoms_are_listed(
    browser: Any, site: Site, pages: dict[str, str]
) -> None:
    context = browser.new_context()
    context.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page = context.new_page()
    sign_in(page, site)
    page.goto(pages["datasets:frame"])
    page.locator(".viewer table tbody tr").first.wait_for()
    assert page.locator(".viewer").inner_text().count("Si") >= 1
    context.close()


def test_the_picture_of_a_structure_can_be_saved(page: Any, pages: dict[str, str]) -> None:
    page.goto(pages["datasets:frame"])
    page.locator(".viewer canvas").first.wait_for()
    with page.expect_download() as download:
        page.locator(".viewer-tools").get_by_role("button", name="picture").click()
    assert Path(download.value.path()).read_bytes()[:4] == b"\x89PNG"


def test_a_plot_can_be_saved_as_a_picture_and_as_numbers(page: Any, pages: dict[str, str]) -> None:
    page.goto(pages["datasets:detail"])
    figure = page.locator("[data-plot]").first
    figure.locator(".js-plotly-plot").wait_for()
    for button, start in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with page.expect_download() as download:
            figure.get_by_role("button", name=button).click()
        assert Path(download.value.path()).read_bytes()[:4] == start
    with page.expect_download() as download:
        figure.get_by_role("link", name="CSV").click()
    assert "," in Path(download.value.path()).read_text().splitlines()[1]
