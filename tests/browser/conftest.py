"""Chromium, a site, and a page that notices every error of a script."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.site import FLAGS, Site, chromium, running_site, sign_in

HARMLESS = (
    "Failed to load resource",
    # A page that is left takes back what it had asked for; errors of htmx have other names.
    *("htmx:afterRequest", "htmx:sendAbort"),
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    path = chromium()
    if path is None:
        if os.environ.get("MLMD_REQUIRE_ALL"):
            pytest.fail("Chromium is missing: apt-get install chromium")
        pytest.skip("Chromium is missing: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    # Playwright's loop stays in this thread until the session ends; Django, asked by the tests that
    # come after, would take it for asynchronous code of theirs.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def page(browser: Any, site: Site) -> Iterator[Any]:
    """A signed-in page; the test fails when a script of ours does."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(f"{opened.url}: {error}"))
    opened.on(
        "console",
        lambda line: (
            problems.append(f"{opened.url}: {line.text}")
            if line.type == "error" and not any(word in line.text for word in HARMLESS)
            else None
        ),
    )
    sign_in(opened, site)
    yield opened
    context.close()
    assert problems == []
