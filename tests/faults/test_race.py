"""Real threads on a real database: of many who move a job at once, one wins."""

from __future__ import annotations

import json
from collections import Counter

import pytest


@pytest.mark.slow
@pytest.mark.faults
def test_of_many_who_move_a_job_at_once_one_wins(site):
    answer = json.loads(site.run("race", "12"))
    assert Counter(answer["outcomes"]) == {"won": 1, "late": 11}
    assert answer["moves"] == 1
