"""`manage.py collect_vendor`: copies the front-end packages that npm fetched to where pages load them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

# file in node_modules → name in static/vendor
FILES = {
    "3dmol/build/3Dmol-min.js": "3dmol.min.js",
    "3dmol/LICENSE": "3dmol.LICENSE.txt",
    "htmx.org/dist/htmx.min.js": "htmx.min.js",
    "htmx.org/LICENSE": "htmx.LICENSE.txt",
    "plotly.js-cartesian-dist-min/plotly-cartesian.min.js": "plotly-cartesian.min.js",
    "plotly.js-cartesian-dist-min/LICENSE": "plotly.LICENSE.txt",
}


def copy_files(source: Path, target: Path) -> list[Path]:
    """Copy every file of `FILES` from `source` (node_modules) into `target`.

    Raises:
        FileNotFoundError: a package is missing or is laid out differently than expected.
    """
    target.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copyfile(source / name, target / to)) for name, to in FILES.items()]


class Command(BaseCommand):
    help = "Copies 3Dmol, htmx and Plotly from node_modules into static/vendor."

    def handle(self, *args: Any, **options: Any) -> None:
        source = settings.BASE_DIR / "node_modules"
        try:
            copied = copy_files(source, settings.BASE_DIR / "static" / "vendor")
        except FileNotFoundError as error:
            raise CommandError(
                f"{error.filename} is missing: run `npm ci --ignore-scripts` (or `make assets`) first."
            ) from error
        self.stdout.write(f"{len(copied)} files copied into static/vendor")
