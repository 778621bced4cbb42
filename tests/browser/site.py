"""A real site of its own, started with `manage.py up`, and a real Chromium to look at it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
EMAIL = "demo@portal.example"
STARTS_WITHIN = 90.0  # s
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
)


@dataclass(frozen=True)
class Site:
    """A running site.

    Args:
        url: without the slash at the end.
        password: of the demo account.
        folder: everything it keeps.
    """

    url: str
    password: str
    folder: Path


def chromium() -> str | None:
    """Return the path of a Chromium of the system, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@contextlib.contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """Start web, worker and beat on a free port; stop all of them at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (folder / "site.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up", "--bind", f"127.0.0.1:{port}"],
        cwd=REPOSITORY,
        env=_environment() | {"MLMD_VAR": str(folder), "MLMD_WORKER_PROCESSES": "2"},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(process, url, folder / "site.log")
        yield Site(url, (folder / "demo-password").read_text().strip(), folder)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        log.close()


def _environment() -> dict[str, str]:
    """Return this process's environment without what only the tests themselves may have."""
    return {key: value for key, value in os.environ.items() if key != "DJANGO_ALLOW_ASYNC_UNSAFE"}


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"{url}/health/", timeout=2)  # noqa: S310 - our own address
            return
        time.sleep(0.2)
    raise RuntimeError(f"the site didn't start:\n{log.read_text()[-4000:]}")


def sign_in(page: Any, site: Site) -> None:
    page.goto(f"{site.url}/sign-in/")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(site.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{site.url}/")
