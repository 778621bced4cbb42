"""How long the catalog's pages and facet counts take over a million frames.

    python benchmarks/catalog.py [--frames 1000000] [--folder FOLDER] [--rounds 5]

Makes the frames on the first call (some minutes) and keeps them in the folder, where later calls find
them; DATABASE_URL names another database, else it is SQLite in that folder. Times are those of whole
answers through the site's own views (Django's test client) as a member of one of six labs, who sees
public frames, those of the lab, and private ones of his own: a page of 25 rows with its count and the
facet counts of its filter, and the API's page and facets.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

FILTERS = (
    "",
    "elements=Si",
    "elements=O&elements=Si",
    "elements=O&elements=Fe&mode=any",
    "elements=C&elements=H&elements=O&mode=only",
    "functional=PBE",
    "functional=PBE&code=vasp&dispersion=none",
    "energy_min=-4.1&energy_max=-3.9",
    "energy_min=-4.0001&energy_max=-4",
    "force_max=3",
    "force_min=9",
    "above_max=0.05",
    "distance_min=1.5&pressure_max=5&force_max=5&energy_max=-3.9",
    "pressure_min=1&functional=r2SCAN&kind=liquid",
    "atoms_min=4&atoms_max=6",
    "stress=yes&converged=yes&split=train",
    "spin=collinear&run_type=md&hubbard=no",
    "licence=CC-BY-4.0&cutoff_min=500",
    "since=2026-01-01",
    "q=amorphous",
    "q=run3+phases",
    "visibility=public&label_source=ab+initio",
    "lab=Laboratory+2",
    "dataset={dataset}",
    "dataset={dataset}&force_max=2",
    "formula={formula}",
)
SORTS = ("formula", "atoms", "energy", "force", "volume", "above", "distance", "pressure", "kind")
PAGES = (2, 100, 4000, 10_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--datasets", type=int, default=64)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "mlmd-catalog")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    os.environ["MLMD_VAR"] = str(options.folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    settings.ALLOWED_HOSTS = ["testserver"]
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    from catalog_data import make

    from datasets.models import Frame
    from labs.models import User

    if not Frame.objects.exists():
        start = time.perf_counter()
        make(options.frames, options.datasets)
        print(f"made in {time.perf_counter() - start:,.0f} s")
    report(User.objects.get(email="person1@example.org"), options.rounds)


def report(person: Any, rounds: int) -> None:
    """Print a row for each kind of page: median, 95th percentile and slowest."""
    from django.conf import settings
    from django.db import connection
    from django.test import Client
    from django.urls import reverse

    from datasets.models import Frame
    from datasets.snapshots import cache

    client = Client()
    client.force_login(person)
    seen = Frame.objects.visible_to(person).current()
    largest = max(seen.values_list("dataset__frame_count", "dataset__public_id").distinct())
    names = {"dataset": largest[1], "formula": seen.values_list("formula", flat=True)[0]}
    filters = [text.format(**names) for text in FILTERS]
    page, rows, counts = (
        reverse(name) for name in ("datasets:frames", "api:frame-list", "api:frame-facets")
    )
    print(f"{connection.vendor}: {seen.count():,} of {Frame.objects.count():,} frames are seen")
    shutil.rmtree(settings.CATALOG_DIR, ignore_errors=True)
    print(f"first page of all, takes every snapshot: {_seconds(client, page):.2f} s")
    cache._held.clear()
    print(f"first page of a process that finds them: {_seconds(client, page):.2f} s")
    kinds = {
        "page with facets, each filter": [f"{page}?{text}" for text in filters],
        "page with facets, each order": [
            f"{page}?{text}&sort={sign}{name}"
            for text in ("", "functional=PBE")
            for name in SORTS
            for sign in ("", "-")
        ],
        "page with facets, deep pages": [
            f"{page}?{text}&page={number}"
            for text in ("", "functional=PBE&sort=-energy")
            for number in PAGES
        ],
        "API page, each filter": [f"{rows}?{text}" for text in filters],
        "API facets, each filter": [f"{counts}?{text}" for text in filters],
    }
    print("| pages | requests | p50 / ms | p95 / ms | slowest / ms | p95 of processor time / ms |")
    print("|---|---|---|---|---|---|")
    for name, urls in kinds.items():
        taken = np.array([_taken(client, url) for _round in range(rounds) for url in urls]) * 1e3
        middle, late = np.percentile(taken[:, 0], [50, 95])
        slowest, busy = taken[:, 0].max(), np.percentile(taken[:, 1], 95)
        print(f"| {name} | {len(taken)} | {middle:.0f} | {late:.0f} | {slowest:.0f} | {busy:.0f} |")


def _seconds(client: Any, url: str) -> float:
    return _taken(client, url)[0]


def _taken(client: Any, url: str) -> tuple[float, float]:
    """Return the seconds of one request: on the clock, and of this process's work."""
    start, work = time.perf_counter(), time.process_time()
    answer = client.get(url)
    seconds = time.perf_counter() - start, time.process_time() - work
    if answer.status_code != 200:
        raise SystemExit(f"{url}: {answer.status_code}")
    return seconds


if __name__ == "__main__":
    main()
