"""What goes wrong, and when: the same for the same seed."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.faults.chaos_site import ChaosSite
from tests.faults.far_side import FarSide


class Fault(StrEnum):
    """One thing that goes wrong."""

    WORKER = "kill -9 of all worker processes"
    WORKER_PROCESS = "kill -9 of one worker process"
    BEAT = "kill -9 of beat"
    WEB = "kill -9 of web"
    SUBMITTER = "kill -9 of who creates runs"
    SITE = "kill -9 of all processes of the site"
    CUT = "every connection reset"
    CUT_BEFORE = "connection reset just before sbatch"
    CUT_AFTER = "connection reset between sbatch and its answer"
    CUT_TRANSFER = "connection reset in the middle of a transfer"
    STALL = "no packet passes, nothing ends"
    DELAY = "every packet 80 ms late"
    REFUSE = "connections refused"
    SSHD = "sshd restarted"
    SLURMCTLD = "slurmctld restarted"
    SLURMCTLD_KILL = "kill -9 of slurmctld, restarted"
    QUEUE_FAILS = "queue query fails"
    QUEUE_EMPTY = "queue query empty without an error"
    QUEUE_GARBLED = "queue query cut off and garbled"
    QUEUE_HANGS = "queue query hangs"
    DISK = "work folder full"


LASTS: dict[Fault, tuple[float, float]] = {
    Fault.STALL: (3.0, 9.0),
    Fault.DELAY: (3.0, 8.0),
    Fault.REFUSE: (2.0, 5.0),
    Fault.SSHD: (1.0, 4.0),
    Fault.SLURMCTLD: (1.0, 6.0),
    Fault.SLURMCTLD_KILL: (1.0, 6.0),
    Fault.QUEUE_FAILS: (3.0, 8.0),
    Fault.QUEUE_EMPTY: (5.0, 8.0),
    Fault.QUEUE_GARBLED: (5.0, 8.0),
    Fault.QUEUE_HANGS: (3.0, 8.0),
    Fault.DISK: (2.0, 5.0),
}
"""Seconds from a fault's beginning to its end; the others are over at once."""
ENDS_LINKS = frozenset(
    {
        *(Fault.WORKER, Fault.WORKER_PROCESS, Fault.SITE, Fault.CUT, Fault.CUT_BEFORE),
        *(Fault.CUT_AFTER, Fault.CUT_TRANSFER, Fault.STALL, Fault.DELAY, Fault.REFUSE),
        *(Fault.SSHD, Fault.QUEUE_HANGS),
    }
)
"""Faults after which the site may have to sign in again."""


@dataclass(frozen=True)
class Event:
    """A fault with its time: seconds after the one before, and how long it lasts."""

    fault: Fault
    after: float
    lasts: float
    number: int


def schedule(seed: int, left_out: frozenset[Fault], hurry: float = 1.0) -> Iterator[Event]:
    """Yield faults without end: all kinds in a random order, then again in another one."""
    chance = random.Random(seed + 1)
    kinds = [fault for fault in Fault if fault not in left_out]
    while True:
        chance.shuffle(kinds)
        for fault in kinds:
            yield Event(
                fault,
                hurry * chance.uniform(0.5, 2.5),
                hurry * chance.uniform(*LASTS.get(fault, (0.0, 0.0))),
                chance.randrange(2**16),
            )


class Adversary:
    """Does what the schedule says, and undoes it."""

    def __init__(self, site: ChaosSite, far: FarSide) -> None:
        self.site, self.far = site, far
        self.done: Counter[Fault] = Counter()
        self._undo: list[tuple[float, Callable[[], object]]] = []

    def strike(self, event: Event) -> None:
        """Begin a fault."""
        self.done[event.fault] += 1
        proxies = list(self.far.proxies.values())
        proxy = proxies[event.number % len(proxies)]
        match event.fault:
            case Fault.WORKER | Fault.WORKER_PROCESS | Fault.BEAT | Fault.WEB | Fault.SUBMITTER:
                self._kill(event)
            case Fault.SITE:
                self.site.kill(list(self.site.commands), group=event.number % 3 > 0)
            case Fault.CUT:
                proxy.cut()
            case Fault.CUT_BEFORE:
                (self.far.faults / "cut-before").touch()
            case Fault.CUT_AFTER:
                (self.far.faults / "cut-after").touch()
            case Fault.CUT_TRANSFER:
                proxy.cut_after(50_000 + event.number * 8)
            case Fault.STALL:
                proxy.is_stalled = True
                self._later(event, lambda: setattr(proxy, "is_stalled", False))
            case Fault.DELAY:
                proxy.delay = 0.08
                self._later(event, lambda: setattr(proxy, "delay", 0.0))
            case Fault.REFUSE:
                proxy.is_refusing = True
                proxy.cut()
                self._later(event, lambda: setattr(proxy, "is_refusing", False))
            case Fault.SSHD:
                server = list(self.far.nodes.values())[event.number % 2]
                if server.process is not None and server.process.poll() is None:
                    server.stop(cut=True)
                    self._later(event, server.start)
            case Fault.SLURMCTLD | Fault.SLURMCTLD_KILL:
                self._controller(event)
            case Fault.QUEUE_FAILS | Fault.QUEUE_EMPTY | Fault.QUEUE_GARBLED | Fault.QUEUE_HANGS:
                self.far.queue_mode(event.fault.name.lower().removeprefix("queue_"))
                self._later(event, lambda: self.far.queue_mode(""))
            case Fault.DISK:
                self.far.fill()
                self._later(event, self.far.empty)

    def _controller(self, event: Event) -> None:
        slurm = self.far.slurm
        if slurm.processes["slurmctld"].poll() is None:
            slurm.stop_controller(kill=event.fault is Fault.SLURMCTLD_KILL)
            self._later(event, slurm.start_controller)

    def _kill(self, event: Event) -> None:
        if event.fault is Fault.WORKER_PROCESS:
            self.site.kill_one_worker(event.number)
            return
        names = self.site.workers if event.fault is Fault.WORKER else [event.fault.name.lower()]
        self.site.kill(names, group=event.number % 3 > 0)

    def _later(self, event: Event, undo: Callable[[], object]) -> None:
        self._undo.append((time.monotonic() + event.lasts, undo))

    def undo(self, *, all_of_it: bool = False) -> None:
        """End the faults whose time is over."""
        now = time.monotonic()
        due = [entry for entry in self._undo if all_of_it or entry[0] <= now]
        self._undo = [entry for entry in self._undo if entry not in due]
        for _at, act in due:
            act()
        if all_of_it:
            self.calm()

    def calm(self) -> None:
        """Take back what waits for its occasion."""
        for name in ("cut-before", "cut-after"):
            (self.far.faults / name).unlink(missing_ok=True)
        for proxy in self.far.proxies.values():
            proxy.is_stalled, proxy.is_refusing, proxy.delay = False, False, 0.0
            proxy._budget = None
        self.far.queue_mode("")
        self.far.empty()
