"""The validator of the OPTIMADE consortium, against the running site."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from tests.datasets.factories import make_exchange
from tests.labs.factories import make_lab, make_user

VALIDATOR = Path(sys.executable).with_name("optimade-validator")


@pytest.mark.slow
@pytest.mark.parametrize(("base", "seed"), [("v1", "1"), ("v1.2.0", "2")])
def test_the_official_validator_finds_nothing(live_server: Any, base: str, seed: str) -> None:
    cache.clear()  # of the requests that count against the limit
    lab = make_lab()
    make_exchange(make_user(lab), lab)
    answer = subprocess.run(
        [VALIDATOR, "--json", "--random-seed", seed, f"{live_server.url}/optimade/{base}"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    found = json.loads(answer.stdout)
    assert answer.returncode == 0, json.dumps(found, indent=1)
    assert found["failure_count"] == found["internal_failure_count"] == 0, found
    assert found["optional_failure_count"] == 0, found["optional_failure_messages"]
    assert found["success_count"] > 35
