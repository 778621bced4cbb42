"""What trainings with somebody else's programs have in common: one folder, one call for each step.

Each call leaves files in the folder and does nothing when they are already what it would make,
so a script can be stopped and started again.
"""

from __future__ import annotations

import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from mlmd.batch import Batch, BatchSystem, BatchTrouble
from mlmd.errors import InvalidInput
from mlmd.external.gathering import Source, gather_frames, gather_vasp
from mlmd.external.programs import Programs, batch_run, run_step
from mlmd.external.steps import Step, Suite
from mlmd.external.storing import Store, store_document
from mlmd.frame import Frame
from mlmd.hdnnp.pruning import Pruning
from mlmd.runs import read_json, write_json_atomic

Told = Callable[[float, str], object]
# Settings that came after the first folders were written.
LATER = frozenset({"descriptor_selection", "descriptor_count", "correlation_limit"})


class Notice(Protocol):
    """A warning."""

    @property
    def text(self) -> str:
        """One sentence."""


class Data(Protocol):
    """What is trained on."""

    @property
    def sha256(self) -> str:
        """Of all frames given."""

    @property
    def notices(self) -> Sequence[Notice]:
        """Warnings."""

    @property
    def pruning(self) -> Pruning | None:
        """What became of the automatic symmetry functions."""


SettingsT = TypeVar("SettingsT")
DataT = TypeVar("DataT", bound=Data)


@dataclass(frozen=True)
class StepReport:
    """What a call did.

    Args:
        name: of the step.
        done: False where everything was there already.
        seconds: how long it took.
        queue_id: number of the run in the batch system; empty where it ran here.
        document: id of the stored document; empty where nothing was stored.
    """

    name: str
    done: bool
    seconds: float = 0.0
    queue_id: str = ""
    document: str = ""


class Pipeline(ABC, Generic[SettingsT, DataT]):
    """A training in one folder.

    Args:
        source: frames, ASE atoms, documents of `mlmd.documents`, or paths of files to read.
        workdir: takes everything; made where it doesn't exist.
        settings: of the training.
        programs: where the programs are, a container image, MPI processes.
        batch: a batch system to go through, as `Batch` or by its name with the default queue.
        store: takes a document of every step: a folder, the URL of a MongoDB database, or a
            `mlmd.Portal`.
        told: takes the done fraction and a line of text while a step runs; None prints.
    """

    suite: ClassVar[Suite]

    def __init__(
        self,
        source: Source,
        workdir: Path | str,
        settings: SettingsT,
        programs: Programs | None = None,
        batch: Batch | str | None = None,
        store: Store | None = None,
        told: Told | None = None,
    ) -> None:
        self.folder = Path(workdir)
        self.programs = programs or Programs()
        self.batch = _as_batch(batch)
        self.store = store
        self._settings = settings
        self._source = source
        self._told = told or _Printer()

    @classmethod
    def from_vasp(cls, folder: Path | str, workdir: Path | str, **options: Any) -> Self:
        """Train on every vasprun.xml below a folder, at any depth, compressed or not.

        Args:
            folder: where to look.
            workdir: as of the class.
            **options: as of the class.
        """
        source: Any = gather_vasp(Path(folder))
        make: Any = cls
        made: Self = make(source, workdir, **options)
        return made

    @property
    def settings(self) -> SettingsT:
        """The settings of this training."""
        return self._settings

    @cached_property
    def data(self) -> DataT:
        """The frames as the programs get them, with all that follows from them, and warnings.

        Raises:
            InvalidInput: no frame can be used.
        """
        data = self._prepared(gather_frames(self._source))
        for line in data.pruning.lines if data.pruning else ():
            self._told(0.0, line)
        for notice in data.notices:
            self._told(0.0, f"note: {notice.text}")
        return data

    @abstractmethod
    def _prepared(self, frames: list[Frame]) -> DataT:
        """Choose frames and what follows from them."""

    @abstractmethod
    def _step(self, name: str, processes: int) -> Step:
        """Return a step, and write the small files that it uses."""

    @abstractmethod
    def _state(self, name: str) -> tuple[float, str] | None:
        """Return how far a running step is, and words for it; None where that isn't known."""

    @abstractmethod
    def _document(self, name: str, seconds: float, queue_id: str) -> Mapping[str, Any]:
        """Return what to keep of a step."""

    def _digest_of(self, path: Path, step: str) -> str:
        """Return a hash of what counts in a file for a step."""
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def _write(
        self, step: str, name: str, write: Callable[[DataT, Path], None], force: bool
    ) -> StepReport:
        self.folder.mkdir(parents=True, exist_ok=True)
        key = digest(repr(self._settings), self.data.sha256)
        same = {key, digest(_without_later(self._settings), self.data.sha256)}
        if not force and (self.folder / name).is_file() and self._noted(step).get("key") in same:
            return StepReport(step, done=False)
        write(self.data, self.folder)
        self._note(step, {"key": key})
        return StepReport(step, done=True)

    def _run(
        self,
        name: str,
        *,
        batch: Batch | str | None = None,
        programs: Programs | None = None,
        store: Store | None = None,
    ) -> StepReport:
        chosen = _as_batch(batch) or self.batch
        programs = programs or self.programs
        processes = chosen.total_processes if chosen else programs.processes
        step = self._step(name, processes)
        missing = [needed for needed in step.needs if not (self.folder / needed).is_file()]
        if missing:
            raise InvalidInput(
                f"{step.program} in {self.folder}", f"no {missing[0]}", "it",
                "Run the steps before it.",
            )  # fmt: skip
        key = digest(name, *(self._digest_of(self.folder / n, name) for n in step.needs))
        noted = self._noted(name)
        there = all((self.folder / left).is_file() for left in step.leaves)
        if noted.get("key") == key and noted.get("done") and there:
            return StepReport(name, done=False)
        if chosen:
            self._check_waiting(chosen, name, key, noted)
        self._note(name, {"key": key, "done": False})
        begin = time.monotonic()
        number = run_step(
            self.suite, step, self.folder, programs, chosen, lambda n: self._tell(name, n)
        )
        seconds = round(time.monotonic() - begin, 2)
        self._note(name, {"key": key, "done": True, "seconds": seconds, "queue_id": number})
        self._told(1.0, f"{step.program} finished")
        document = ""
        target = self.store if store is None else store
        if target is not None:
            kept = self._document(name, seconds, number)
            document = store_document(kept, target, self.suite.name)
        return StepReport(name, True, seconds, number, document)

    def _check_waiting(self, batch: Batch, name: str, key: str, noted: dict[str, Any]) -> None:
        run = batch_run(self.suite, name, self.folder, batch)
        if run.is_submitted and noted.get("key") != key:
            raise BatchTrouble(
                f"{name}: run {run.id} with other inputs is still noted in {self.folder}. "
                f"Cancel it and remove its {self.suite.name}-*.job.* files, or take another folder."
            )

    def _tell(self, name: str, number: str) -> None:
        where = f" (run {number})" if number else ""
        fraction, words = self._state(name) or (0.0, f"{name} is running")
        self._told(fraction, f"{words}{where}")

    def _noted(self, step: str) -> dict[str, Any]:
        path = self.folder / self._state_file
        found: dict[str, Any] = read_json(path).get(step, {}) if path.is_file() else {}
        return found

    def _note(self, step: str, values: dict[str, Any]) -> None:
        path = self.folder / self._state_file
        content = read_json(path) if path.is_file() else {}
        write_json_atomic(path, {**content, step: values})

    @property
    def _state_file(self) -> str:
        return f"{self.suite.name}-steps.json"


def digest(*parts: str) -> str:
    """Return one hash of several texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _without_later(settings: Any) -> str:
    """Return the settings as they were written before some came, where those are as ever.

    A folder whose files an earlier version wrote stays as it is.
    """
    later = [item for item in fields(settings) if item.name in LATER]
    if any(getattr(settings, item.name) != item.default for item in later):
        return repr(settings)
    known = [item for item in fields(settings) if item.name not in LATER]
    words = ", ".join(f"{item.name}={getattr(settings, item.name)!r}" for item in known)
    return f"{type(settings).__qualname__}({words})"


def _as_batch(batch: Batch | str | None) -> Batch | None:
    return Batch(BatchSystem(batch)) if isinstance(batch, str) else batch


class _Printer:
    """Prints progress, each line once."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, fraction: float, words: str) -> None:
        if words != self._last:
            self._last = words
            print(f"{100 * fraction:5.1f} %  {words}", flush=True)
