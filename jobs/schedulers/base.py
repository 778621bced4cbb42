"""Composing what a scheduler is told and parsing what it says; knows no transport."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from jobs.transports.base import Answer
from mlmd.launch import Resources


class QueueState(StrEnum):
    """What a queue view says about a run, in neutral words."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class QueueEntry:
    """One run in the queue view.

    Args:
        state: the neutral state.
        word: what the scheduler itself said.
        reason: why it waits, or where it runs; may be empty.
    """

    state: QueueState
    word: str
    reason: str = ""


@dataclass(frozen=True)
class ScriptHeader:
    """What the head of a job script is made from.

    Args:
        name: short name for the queue view.
        folder: absolute path of the run directory.
        resources: what the run asks for.
        queue: partition, queue or resource group; empty for the site's default.
        account: group or project that pays; empty for the user's default.
        extra: further options, as the scheduler's own directives take them.
        lanes: how often the script is started at once, as an array of jobs.
    """

    name: str
    folder: str
    resources: Resources
    queue: str = ""
    account: str = ""
    extra: tuple[str, ...] = ()
    lanes: int = 1


class Scheduler(Protocol):
    """One way to hand over, find and stop runs. All commands run in any folder, in a POSIX shell."""

    own_id: str
    """Shell words that give, inside the script, the id under which the queue knows the run."""
    missing_grace_s: float
    """How long, in seconds, a run may be missing in a queue view before it counts as gone."""
    array_index: str
    """Shell words that give a script its number in an array of jobs; empty: there are none."""

    def directives(self, header: ScriptHeader) -> list[str]:
        """Return the lines below ``#!/bin/sh`` that ask for the resources."""

    def watchdog(self, walltime_s: int) -> list[str]:
        """Return script lines that end the run at its time limit; none where the scheduler does."""

    def submit_command(self, script: str, token: str) -> str:
        """Return the command that hands over `script`, run in the run directory."""

    def parse_submit(self, answer: Answer) -> str:
        """Return the run's id.

        Raises:
            SubmissionRefused: the scheduler said no, for good.
            ClusterTrouble: it could not be asked.
        """

    def queue_command(self, ids: Sequence[str]) -> str:
        """Return the one command that tells about all these runs."""

    def parse_queue(self, answer: Answer, ids: Sequence[str]) -> Mapping[str, QueueEntry]:
        """Return what is known about the runs; those that the queue no longer knows are left out.

        Raises:
            ClusterTrouble: the query failed, so nothing at all is known.
        """

    def stop_command(self, ids: Sequence[str]) -> str:
        """Return the command that asks these runs to end in order."""

    def kill_command(self, ids: Sequence[str]) -> str:
        """Return the command that ends runs which didn't heed `stop_command`."""
