"""A person's way over a cluster: register it, compute there with DFT, train there, run MD there.

The cluster is real: an SSH server and a Slurm of the test's own, with the real pw.x.
"""

from __future__ import annotations

import getpass
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write
from playwright.sync_api import expect

from jobs.keys import fingerprint
from tests.browser.site import REPOSITORY, Site, running_site, sign_in
from tests.browser.test_path import plot_has_curves, wait_until_done
from tests.faults.servers import missing
from tests.jobs.slurm.server import Slurm, running_slurm
from tests.jobs.ssh_server import Server, running_server

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.sshd, pytest.mark.slurm]

PSEUDO = Path("/usr/share/espresso/pseudo/Si.pz-vbc.UPF")  # of Debian
COUNT = 10


@dataclass(frozen=True)
class FarSide:
    """A Slurm behind an SSH server, as an account there sees it."""

    slurm: Slurm
    server: Server
    work: Path

    def ended_well(self) -> set[str]:
        """Return the kinds of the jobs that Slurm itself saw end well."""
        names = self.slurm.ask("squeue", "-h", "-t", "CD", "-o", "%j").split()
        return {name.split("-")[1] for name in names}


@pytest.fixture(scope="module")
def far_side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarSide]:
    if shutil.which("pw.x") is None or not PSEUDO.exists():
        missing("no pw.x here: apt-get install quantum-espresso quantum-espresso-data")
    with running_slurm() as slurm:
        path = slurm.environment["PATH"]
        account = tmp_path_factory.mktemp("account")
        seen = f"SLURM_CONF={slurm.configuration} PATH={path}"
        with running_server(account, environment=seen) as server:
            # The portal brings its own key: nothing is installed yet.
            (account / "authorized_keys").write_text("")
            yield FarSide(slurm, server, account / "work")


@pytest.fixture(scope="module")
def own_site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "pseudo").mkdir()
    shutil.copy(PSEUDO, folder / "pseudo")
    with running_site(folder) as running:
        yield running


def test_from_a_new_cluster_to_molecular_dynamics_there(
    browser: Any, own_site: Site, far_side: FarSide, tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    page = context.new_page()
    sign_in(page, own_site)
    _register(page, own_site, far_side)
    _connect(page, far_side)
    _bring_structures(page, own_site, tmp_path)
    dataset = _compute(page)
    _find_frames(page, own_site, dataset)
    _train(page)
    _simulate(page)
    assert far_side.ended_well() == {"dft", "train", "md"}
    context.close()


def _register(page: Any, site: Site, far_side: FarSide) -> None:
    page.goto(f"{site.url}/clusters/")
    page.get_by_role("link", name="Add cluster").click()
    page.get_by_role("link", name="Slurm", exact=True).click()
    fill = {
        "Name": "Lab cluster",
        "Host": "127.0.0.1",
        "Account": getpass.getuser(),
        "Work folder": str(far_side.work),
        "Queues": "work nodes=1 cores=2 hours=1",
        "Codes": f"pw.x = pw.x\nmlmd = {sys.executable} -m mlmd",
        "Lines before every program": f"export PYTHONPATH={REPOSITORY}",
    }
    for label, text in fill.items():
        page.locator("main").get_by_label(label).first.fill(text)
    page.locator("details.expert summary").click()
    page.locator("main").get_by_label("Port").fill(str(far_side.server.port))
    page.get_by_label("Time between two looks").fill("2")
    page.get_by_role("button", name="Register cluster").click()
    page.wait_for_url(re.compile(r"/clusters/[0-9a-f-]{36}/"))


def _connect(page: Any, far_side: FarSide) -> None:
    """Install the key as the page says, confirm the host key, and look at what the probe found."""
    public = page.get_by_label("Public key").inner_text().strip()
    far_side.server.folder.joinpath("authorized_keys").write_text(public + "\n")
    expect(page.locator("#connection")).to_contain_text("SHA256:", timeout=30_000)
    assert fingerprint(far_side.server.host_key) in page.locator("#connection").inner_text()
    page.get_by_role("button", name="Confirm host key").click()
    checks = page.locator("#connection table tbody tr")
    expect(checks.filter(has_text="Queue view")).to_contain_text("well", timeout=30_000)
    assert "not well" not in page.locator("#connection").inner_text()


def _silicon() -> list[Atoms]:
    """Return cells of two atoms at several volumes, slightly disordered."""
    rng = np.random.default_rng(4)
    cells = []
    for number in range(COUNT):
        atoms = bulk("Si", "diamond", a=5.43 * (0.96 + 0.008 * number))
        atoms.positions += rng.normal(0, 0.06, atoms.positions.shape)
        cells.append(atoms)
    return cells


def _bring_structures(page: Any, site: Site, folder: Path) -> None:
    path = folder / "silicon.extxyz"
    write(path, _silicon())
    page.goto(f"{site.url}/structures/new/")
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Upload files").click()
    page.locator("main table a[href*='/structures/']").first.wait_for(timeout=60_000)
    page.goto(f"{site.url}/structures/")
    expect(page.locator("main tbody tr[data-href]")).to_have_count(COUNT, timeout=60_000)


def _compute(page: Any) -> str:
    """Compute all structures with pw.x through Slurm; return the dataset's address."""
    for box in page.locator("input[name=structure]").all():
        box.check()
    page.get_by_role("button", name="Compute the chosen ones with DFT").click()
    page.get_by_label("Protocol").select_option("fast")
    page.get_by_label("Run on").select_option(label="Lab cluster")
    page.locator("details.expert summary").click()
    page.get_by_label("Plane-wave cutoff").fill("12")
    page.get_by_label("k-point spacing").fill("0.5")
    page.get_by_role("button", name="Compute with DFT").click()
    page.wait_for_url(re.compile(r"/dft/[0-9a-f-]{36}/"))
    wait_until_done(page, 3)
    page.reload()
    expect(page.locator("main tbody tr").filter(has_text="converged")).to_have_count(COUNT)
    page.locator(".note a[href*='/data/']").click()
    page.wait_for_url(re.compile(r"/data/[0-9a-f-]{36}/"))
    return str(page.url)


def _find_frames(page: Any, site: Site, dataset: str) -> None:
    page.goto(f"{site.url}/data/frames/?elements=Si&atoms_max=2")
    expect(page.locator("main")).to_contain_text(f"{COUNT} frames")
    page.goto(dataset)
    page.get_by_text("Publish version 1").click()
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_role("link", name="Train potential").first.click()


def _train(page: Any) -> None:
    page.wait_for_url(re.compile(r"/train/"))
    page.get_by_label("Name of the potential").fill("Silicon from the cluster")
    page.get_by_label("Effort").select_option("quick")
    page.get_by_label("Run on").select_option(label="Lab cluster")
    page.get_by_role("button", name="Train potential").click()
    page.wait_for_url(re.compile(r"/train/[0-9a-f-]{36}/"))
    wait_until_done(page, 3)
    page.reload()
    plot_has_curves(page, page.locator("[data-plot]").first)
    page.get_by_role("link", name="Open potential").click()


def _simulate(page: Any) -> None:
    page.get_by_role("link", name="Run MD").first.click()
    page.wait_for_url(re.compile("/md/"))
    page.get_by_label("Repeat the cell").fill("2 2 2")
    page.get_by_label("Time", exact=True).first.fill("0.2")
    page.get_by_label("Run on").select_option(label="Lab cluster")
    page.get_by_role("button", name="Run MD").click()
    page.wait_for_url(re.compile(r"/md/[0-9a-f-]{36}/"))
    wait_until_done(page, 3)
    page.reload()
    plot_has_curves(page, page.locator("[data-plot]").first)
