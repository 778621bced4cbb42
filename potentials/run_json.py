"""Reads the JSON files of a run, which may not be there yet."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from mlmd.errors import InvalidInput
from mlmd.runs import read_json

log = logging.getLogger(__name__)


def json_or_none(path: Path) -> dict[str, Any] | None:
    """Return a run's JSON file, or None while it isn't there or can't be read.

    Runs replace their files in one step, so a file that can't be read is damage; it is
    logged, and the page shows what else there is.
    """
    if not path.is_file():
        return None
    try:
        return read_json(path)
    except InvalidInput as error:
        log.warning("%s", error)
        return None
