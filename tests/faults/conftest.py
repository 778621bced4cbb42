"""A killable site on each pair of database and message broker."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.faults import servers
from tests.faults.killable_site import Site

JOBS = 20


@pytest.fixture(
    params=[
        "sqlite-folder",
        pytest.param("postgres-redis", marks=[pytest.mark.postgres, pytest.mark.redis]),
    ]
)
def site(request, tmp_path):
    with ExitStack() as stack:
        database = broker = None
        if request.param == "postgres-redis":
            database = stack.enter_context(servers.postgres())
            broker = stack.enter_context(servers.redis())
        site = Site(tmp_path, database, broker, JOBS)
        stack.callback(site.end)
        site.run("set-up")
        yield site
