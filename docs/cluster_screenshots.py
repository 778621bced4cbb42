"""Takes the pictures of docs/clusters.md: `python docs/cluster_screenshots.py`.

Starts a site, an SSH server and a Slurm of its own, and adds the cluster as the page describes.
Needs Chromium, openssh-server, slurm-wlm, munge and root; takes about a minute. The names of this
machine are replaced by those of an example in the pictures.
"""

from __future__ import annotations

import getpass
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import django

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))
os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
os.environ.setdefault("MLMD_VAR", tempfile.mkdtemp(prefix="mlmd-screenshots-"))
django.setup()  # the test servers make keys with the portal's own code

from tests.browser.site import FLAGS, Site, chromium, running_site, sign_in  # noqa: E402
from tests.jobs.slurm.server import running_slurm  # noqa: E402
from tests.jobs.ssh_server import Server, running_server  # noqa: E402

IMAGES = REPOSITORY / "docs" / "images"
HOST, ACCOUNT, WORK = "login.cluster.example", "glass", "/group/glass/portal"
_REPLACE = """pairs => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    let text = walker.currentNode.textContent;
    for (const [old, shown] of pairs)
      text = text.trim() === old ? shown : old.length > 5 ? text.replaceAll(old, shown) : text;
    if (text !== walker.currentNode.textContent) walker.currentNode.textContent = text;
  }
}"""


def main() -> int:
    path = chromium()
    if path is None:
        print("Chromium is missing: apt-get install chromium", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory() as name,
        running_slurm() as slurm,
        sync_playwright() as playwright,
    ):
        account, folder = Path(name, "account"), Path(name, "site")
        account.mkdir()
        folder.mkdir()
        seen = f"SLURM_CONF={slurm.configuration} PATH={slurm.environment['PATH']}"
        with running_server(account, environment=seen) as server, running_site(folder) as site:
            browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
            take_all(browser, site, server, account / "work")
            browser.close()
    return 0


def take_all(browser: Any, site: Site, server: Server, work: Path) -> None:
    page = open_page(browser, site, {"width": 1280, "height": 900}, "light")
    pairs = [
        (f"127.0.0.1:{server.port}", f"{HOST}:22"),
        ("127.0.0.1", HOST),
        (str(work), WORK),
        (getpass.getuser(), ACCOUNT),
        (f"authorized_keys of {getpass.getuser()} on", f"authorized_keys of {ACCOUNT} on"),
        (f" as {getpass.getuser()}.", f" as {ACCOUNT}."),
        (f" {getpass.getuser()} {getpass.getuser()} ", f" {ACCOUNT} {ACCOUNT} "),
    ]
    fill(page, site, HOST, 22, ACCOUNT, WORK)
    take(page, "cluster-form", [])
    fill(page, site, "127.0.0.1", server.port, getpass.getuser(), str(work))
    page.get_by_role("button", name="Register cluster").click()
    page.wait_for_url(re.compile(r"/clusters/[0-9a-f-]{36}/"))
    work.mkdir()
    for image in ("mlmd.sif", "quantum-espresso-6.7.sif"):
        (work / image).touch()
    page.get_by_text("SHA256:").first.wait_for(timeout=30_000)
    public = page.get_by_label("Public key").inner_text().strip()
    server.folder.joinpath("authorized_keys").write_text(public + "\n")
    take(page, "cluster-confirm", pairs)
    page.reload()
    page.get_by_role("button", name="Confirm host key").click()
    page.locator("#connection table tbody tr").filter(has_text="Queue view").wait_for(
        timeout=60_000
    )
    page.goto(page.url)
    take(page, "cluster-probed", pairs)


def open_page(browser: Any, site: Site, size: dict[str, int], theme: str) -> Any:
    context = browser.new_context(viewport=size, color_scheme=theme, locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(30_000)
    sign_in(page, site)
    return page


def fill(page: Any, site: Site, host: str, port: int, login: str, work: str) -> None:
    """Fill in the form for a Slurm cluster."""
    page.goto(f"{site.url}/clusters/new/?preset=slurm")
    main = page.locator("main")
    main.locator("details.expert summary").click()
    for label, text in {
        "Name": "Glass cluster",
        "Host": host,
        "Account": login,
        "Work folder": work,
        "Group or project": "" if host != HOST else "gx00",
        "Queues": "work nodes=4 cores=32 memory=120 hours=24",
        "Codes": (f"mlmd @ {work}/mlmd.sif = mlmd\npw.x @ {work}/quantum-espresso-6.7.sif = pw.x"),
        "Port": str(port),
    }.items():
        main.get_by_label(label).first.fill(text)
    main.locator("details.expert summary").click()


def take(page: Any, name: str, pairs: list[tuple[str, str]]) -> None:
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(700)
    page.evaluate(_REPLACE, pairs)
    page.screenshot(path=IMAGES / f"{name}.png", full_page=True)
    print(f"docs/images/{name}.png")


if __name__ == "__main__":
    sys.exit(main())
