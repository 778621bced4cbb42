"""Seeing to it that each job of a chaos run meets what was planned for it."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from tests.faults.chaos_jobs import Fate, Plan
from tests.faults.chaos_site import ChaosSite
from tests.faults.chaos_verdict import title_of, words_of
from tests.faults.far_side import FarSide, kill_script

LOOK = 0.5  # s between two looks
HEAL = 4.0  # s between two looks at the node


class Fates:
    """The strangers and owners that end runs, and what they see of them through the API."""

    def __init__(self, planned: Sequence[Plan], site: ChaosSite, far: FarSide) -> None:
        self.planned, self.site, self.far = planned, site, far
        self._rows: dict[str, dict[str, Any]] = {}
        self._seen: dict[int, float] = {}
        self._over: set[int] = set()
        self._looked = self._healed = 0.0

    def states(self) -> Counter[str]:
        return Counter(row["state"] for row in self._rows.values())

    def count(self, states: Collection[str]) -> int:
        return sum(row["state"] in states for row in self._rows.values())

    def forget(self) -> None:
        """Look anew: the states known so far are old."""
        self._rows, self._looked = {}, 0.0

    def tend(self) -> None:
        """Look around, and strike whose time has come."""
        now = time.monotonic()
        if now < self._looked + LOOK:
            return
        rows = self.site.job_rows()
        if rows is not None:
            self._rows = {row["title"]: row for row in rows}
        if now > self._healed + HEAL:
            self.far.heal()
            self._healed = now
        accounts = self.far.starts()
        for plan in self.planned:
            if plan.number in self._over or plan.fate in {Fate.WELL, Fate.STATUS, Fate.WALLTIME}:
                continue
            started = words_of(accounts.get(f"{plan.number}-1", []), "start")
            is_there = title_of(plan) in self._rows if plan.fate is Fate.CANCEL else started
            if not is_there:
                continue
            if now < self._seen.setdefault(plan.number, now) + plan.delay:
                continue
            if self._strike(plan, started[0] if started else []):
                self._over.add(plan.number)
        self._looked = time.monotonic()

    def _strike(self, plan: Plan, started: Sequence[str]) -> bool:
        """Do it; False when it has to be tried again."""
        if plan.fate is Fate.CANCEL:
            row = self._rows[title_of(plan)]
            answer = self.site.ask(f"jobs/{row['id']}/cancel/", post=True)
            return answer is not None
        pid, run_id = int(started[1]), started[3]
        if plan.fate is Fate.SCANCEL:
            self.far.slurm.ask("scancel", run_id)
            return not os.path.exists(f"/proc/{pid}")
        kill_script(pid, with_parents=plan.fate is Fate.SCRIPT)
        return True
