"""The kinds of job; the rooms above register theirs when Django starts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.errors import UnknownKind
from mlmd.launch import Launch

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    from jobs.models import Job


def _no_page(job: Job) -> str:
    return ""


def _nothing(job: Job) -> None:
    """Do nothing: most kinds keep no state beside the job's."""


@dataclass(frozen=True)
class JobKind:
    """How the job machine asks the owning room.

    Args:
        name: the word in `Job.kind`.
        title: what a person reads.
        prepare: writes the inputs into an empty folder and says what to run; may be called
            again for the same job, so it writes no rows. `MlmdError` and `Refused` make
            the job fail with their text.
        accept: reads the fetched files and creates rows; runs inside the transaction that
            moves the job to DONE, so it happens once or not at all. `MlmdError` and
            `Refused` make the job fail with their text.
        url: the owning room's page for this job; empty where there is none.
        clone_url: the form filled with this job's settings; empty where there is none.
        reset: called inside the transaction that begins a further attempt.
        salvage: like `accept`, for a run that ended badly: takes over the results that are whole
            and returns in words what was kept. The run is then done. `MlmdError` and `Refused`
            say that there was nothing. None for kinds that are whole or nothing.
        checkpoint: glob patterns of the files that a further attempt needs to go on where the
            one before it stopped, the checkpoint itself first; empty where it can't. A function
            where that depends on the job.
        progress: reads how far a running job is from its live files (``fraction``, ``message``,
            ``eta_s``), for programs that write no ``progress.json``; empty where it can't be said.
    """

    name: str
    title: _StrOrPromise
    prepare: Callable[[Job, Path], Launch]
    accept: Callable[[Job, Path], None]
    url: Callable[[Job], str] = _no_page
    clone_url: Callable[[Job], str] = _no_page
    reset: Callable[[Job], None] = _nothing
    salvage: Callable[[Job, Path], str] | None = None
    checkpoint: tuple[str, ...] | Callable[[Job], tuple[str, ...]] = ()
    progress: Callable[[Job, Path], Mapping[str, Any]] | None = None


_kinds: dict[str, JobKind] = {}


def register(kind: JobKind) -> None:
    """Make a kind known; the same name again replaces it."""
    _kinds[kind.name] = kind


def kind_of(name: str) -> JobKind:
    """Return the kind.

    Raises:
        UnknownKind: the room that owned it is gone, or was never installed.
    """
    try:
        return _kinds[name]
    except KeyError:
        known = ", ".join(sorted(_kinds)) or "none"
        raise UnknownKind(f"no room has registered the kind {name!r}; known: {known}") from None


def title_of(name: str) -> str:
    """Return what a person reads for a kind; its name where its room is no longer installed."""
    return str(_kinds[name].title) if name in _kinds else name


def kinds() -> list[JobKind]:
    """Return all kinds by name."""
    return [_kinds[name] for name in sorted(_kinds)]
