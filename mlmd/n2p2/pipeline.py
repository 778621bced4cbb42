"""n2p2 in a few lines: ``N2p2(frames, workdir)`` and one call for each of its programs.

    from mlmd import N2p2

    n2p2 = N2p2.from_vasp("runs/", "si-n2p2", epochs=20)
    n2p2.write_nn()
    n2p2.write_data()
    n2p2.normalize()
    n2p2.scaling()
    n2p2.train()
    n2p2.predict()
    potential = n2p2.potential()

Each call leaves files in the folder and does nothing when they are already what it would make,
so a script can be stopped and started again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from mlmd.batch import Batch, BatchRun, BatchSystem, BatchTrouble
from mlmd.errors import InvalidInput
from mlmd.hdnnp.files import INPUT
from mlmd.hdnnp.potential import Potential
from mlmd.hdnnp.settings_file import read_lines
from mlmd.n2p2.data import TrainingData, prepare_data
from mlmd.n2p2.gathering import Source, gather_frames, gather_vasp
from mlmd.n2p2.input_files import CURVE, DATA, NORMALISATION, write_data, write_input
from mlmd.n2p2.outputs import LearningCurve, read_learning_curve
from mlmd.n2p2.prediction import Predictions, predict_frames
from mlmd.n2p2.programs import Programs, run_step
from mlmd.n2p2.results import (
    N2p2Result,
    best_potential,
    collect,
    write_spec,
)
from mlmd.n2p2.settings import N2p2Settings, settings_from
from mlmd.n2p2.steps import StepName, steps_for
from mlmd.n2p2.storing import Store, step_document, store_document
from mlmd.runs import read_json, write_json_atomic

STATE_FILE = "n2p2-steps.json"
Told = Callable[[float, str], object]


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


class N2p2:
    """A training with n2p2 in one folder.

    Args:
        source: frames, ASE atoms, documents of `mlmd.documents`, or paths of files to read.
        workdir: takes everything; made where it doesn't exist.
        settings: of the training; the defaults fail for no material.
        programs: where n2p2's programs are, a container image, MPI processes.
        batch: a batch system to go through, as `Batch` or by its name with the default queue.
        store: takes a document of every step: a folder, the URL of a MongoDB database, or a
            `mlmd.Portal`.
        told: takes the done fraction and a line of text while a step runs; None prints.
        **changes: settings by name, for example ``epochs=20``.

    Raises:
        InvalidInput: unknown settings.
    """

    def __init__(
        self,
        source: Source,
        workdir: Path | str,
        settings: N2p2Settings | None = None,
        *,
        programs: Programs | None = None,
        batch: Batch | str | None = None,
        store: Store | None = None,
        told: Told | None = None,
        **changes: Any,
    ) -> None:
        self.folder = Path(workdir)
        self.programs = programs or Programs()
        self.batch = _as_batch(batch)
        self.store = store
        self._settings = with_changes(settings or N2p2Settings(), changes)
        self._source = source
        self._told = told or _Printer()

    @classmethod
    def from_vasp(cls, folder: Path | str, workdir: Path | str, **options: Any) -> Self:
        """Train on every vasprun.xml below a folder, at any depth, compressed or not.

        Args:
            folder: where to look.
            workdir: as of `N2p2`.
            **options: as of `N2p2`.
        """
        return cls(gather_vasp(Path(folder)), workdir, **options)

    @property
    def settings(self) -> N2p2Settings:
        """The settings of this training."""
        return self._settings

    @cached_property
    def data(self) -> TrainingData:
        """The frames as n2p2 gets them, with functions, energies of atoms, and warnings.

        Raises:
            InvalidInput: no frame can be used.
        """
        data = prepare_data(self._settings, gather_frames(self._source))
        for notice in data.notices:
            self._told(0.0, f"note: {notice.text}")
        return data

    def write_nn(self, *, force: bool = False) -> StepReport:
        """Write ``input.nn``; one that was written from the same data and settings stays.

        Args:
            force: write it again in any case; changes by hand and normalisation are lost.
        """
        return self._write("write_nn", INPUT, write_input, force)

    def write_data(self, *, force: bool = False) -> StepReport:
        """Write ``input.data``; one that was written from the same data and settings stays."""
        return self._write("write_data", DATA, lambda d, at: write_data(d, at / DATA), force)

    def normalize(self, **how: Any) -> StepReport:
        """Run nnp-norm, which adds the normalisation to ``input.nn``.

        Skipped, with a note, where energies or forces don't vary: nnp-norm would divide by zero.

        Args:
            **how: ``batch=``, ``programs=`` and ``store=`` for this step alone.
        """
        self._write_inputs()
        if not self.data.can_normalise:
            self._told(1.0, "nnp-norm left out: energies or forces don't vary enough")
            return StepReport(StepName.NORMALIZE, done=False)
        if any(line.split()[:1] == ["mean_energy"] for line in read_lines(self.folder / INPUT)):
            return StepReport(StepName.NORMALIZE, done=False)
        return self._run(StepName.NORMALIZE, **how)

    def scaling(self, **how: Any) -> StepReport:
        """Run nnp-scaling, which finds the range of every symmetry function."""
        self._write_inputs()
        return self._run(StepName.SCALING, **how)

    def train(self, **how: Any) -> StepReport:
        """Run nnp-train, and take the weights of its best epoch."""
        self.scaling(**how)
        return self._run(StepName.TRAIN, **how)

    def predict(self, frames: Source | None = None, **how: Any) -> Predictions | StepReport:
        """Run the trained potential on frames with n2p2 itself.

        Args:
            frames: what to predict, with nnp-predict, one structure after another; None compares
                with the training data, by nnp-dataset, for `result`.
            **how: as of `normalize`.
        """
        if frames is None:
            return self._run(StepName.PREDICT, **how)
        self.potential()
        return predict_frames(
            gather_frames(frames), self.folder, how.get("programs") or self.programs
        )

    def run(self, **how: Any) -> N2p2Result:
        """Do every step that isn't done yet; return the result."""
        self._write_inputs()
        if self._settings.normalise:
            self.normalize(**how)
        self.train(**how)
        self.predict(**how)
        return self.result()

    def result(self) -> N2p2Result:
        """Return errors, parity and learning curve; `train` and `predict` are done."""
        write_spec(self.data, self.folder)
        return collect(self.folder)

    def learning_curve(self) -> LearningCurve:
        """Return the errors after every epoch so far; also while nnp-train runs elsewhere."""
        return read_learning_curve(self.folder / CURVE)

    def potential(self) -> Potential:
        """Return the potential of the best epoch; its files are in ``potential/``."""
        return best_potential(self.folder, self.data.elements)

    # --- steps -----------------------------------------------------------------------------

    def _write_inputs(self) -> None:
        self.write_nn()
        self.write_data()

    def _write(
        self, step: str, name: str, write: Callable[[TrainingData, Path], None], force: bool
    ) -> StepReport:
        self.folder.mkdir(parents=True, exist_ok=True)
        key = _digest(repr(self._settings), self.data.sha256)
        if not force and (self.folder / name).is_file() and self._noted(step).get("key") == key:
            return StepReport(step, done=False)
        write(self.data, self.folder)
        self._note(step, {"key": key})
        return StepReport(step, done=True)

    def _run(
        self,
        name: StepName,
        *,
        batch: Batch | str | None = None,
        programs: Programs | None = None,
        store: Store | None = None,
    ) -> StepReport:
        chosen = _as_batch(batch) or self.batch
        programs = programs or self.programs
        processes = chosen.total_processes if chosen else programs.processes
        step = steps_for(self.data, self.folder, processes)[name]
        missing = [needed for needed in step.needs if not (self.folder / needed).is_file()]
        if missing:
            raise InvalidInput(
                f"{step.program} in {self.folder}", f"no {missing[0]}", "it",
                "Run the steps before it.",
            )  # fmt: skip
        key = _digest(name, *(_file_digest(self.folder / needed, name) for needed in step.needs))
        noted = self._noted(name)
        there = all((self.folder / left).is_file() for left in step.leaves)
        if noted.get("key") == key and noted.get("done") and there:
            return StepReport(name, done=False)
        if chosen:
            self._check_waiting(chosen, name, key, noted)
        self._note(name, {"key": key, "done": False})
        begin = time.monotonic()
        number = run_step(step, self.folder, programs, chosen, lambda n: self._tell(name, n))
        seconds = round(time.monotonic() - begin, 2)
        self._note(name, {"key": key, "done": True, "seconds": seconds, "queue_id": number})
        self._told(1.0, f"{step.program} finished")
        document = ""
        target = self.store if store is None else store
        if target is not None:
            document = store_document(
                step_document(name, self.data, self.folder, seconds, number), target
            )
        return StepReport(name, True, seconds, number, document)

    def _check_waiting(self, batch: Batch, name: StepName, key: str, noted: dict[str, Any]) -> None:
        run = BatchRun(batch, self.folder, f"n2p2-{name.value}")
        if run.is_submitted and noted.get("key") != key:
            raise BatchTrouble(
                f"{name.value}: run {run.id} with other inputs is still noted in {self.folder}. "
                "Cancel it and remove its n2p2-*.job.* files, or take another folder."
            )

    def _tell(self, name: StepName, number: str) -> None:
        where = f" (run {number})" if number else ""
        if name is StepName.TRAIN and (self.folder / CURVE).is_file():
            try:
                curve = self.learning_curve()
            except InvalidInput:
                return  # its header isn't complete yet
            if len(curve):
                epoch, epochs = int(curve.epoch[-1]), self._settings.epochs
                words = f"epoch {epoch} of {epochs}: {1000 * curve.energy_train[-1]:.3g} meV/atom"
                self._told(min(epoch / epochs, 1.0), f"{words}{where}")
                return
        self._told(0.0, f"{name.value} is running{where}")

    def _noted(self, step: str) -> dict[str, Any]:
        path = self.folder / STATE_FILE
        found: dict[str, Any] = read_json(path).get(step, {}) if path.is_file() else {}
        return found

    def _note(self, step: str, values: dict[str, Any]) -> None:
        path = self.folder / STATE_FILE
        content = read_json(path) if path.is_file() else {}
        write_json_atomic(path, {**content, step: values})


def with_changes(settings: N2p2Settings, changes: dict[str, Any]) -> N2p2Settings:
    """Return settings with some replaced by name.

    Raises:
        InvalidInput: an unknown name or a wrong value.
    """
    return settings_from({**vars(settings), **changes})


def _as_batch(batch: Batch | str | None) -> Batch | None:
    return Batch(BatchSystem(batch)) if isinstance(batch, str) else batch


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _file_digest(path: Path, step: StepName) -> str:
    """Return a hash of what counts in a file.

    Comments of ``input.nn`` don't; its normalisation doesn't for nnp-norm, which writes it.
    """
    if path.name != INPUT:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    lines = [" ".join(line.split("#", 1)[0].split()) for line in read_lines(path)]
    if step is StepName.NORMALIZE:
        lines = [line for line in lines if line.split(" ")[0] not in NORMALISATION]
    return _digest(*filter(None, lines))


class _Printer:
    """Prints progress, each line once."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, fraction: float, words: str) -> None:
        if words != self._last:
            self._last = words
            print(f"{100 * fraction:5.1f} %  {words}", flush=True)
