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

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlmd.batch import Batch
from mlmd.errors import InvalidInput
from mlmd.external.gathering import Source, gather_frames
from mlmd.external.pipeline import Pipeline, StepReport, Told, digest
from mlmd.external.programs import Programs
from mlmd.external.steps import Step
from mlmd.external.storing import Store
from mlmd.frame import Frame
from mlmd.hdnnp.files import INPUT
from mlmd.hdnnp.potential import Potential
from mlmd.hdnnp.settings_file import read_lines
from mlmd.n2p2.data import TrainingData, prepare_data
from mlmd.n2p2.input_files import CURVE, DATA, NORMALISATION, write_data, write_input
from mlmd.n2p2.outputs import N2P2, LearningCurve, read_learning_curve
from mlmd.n2p2.prediction import Predictions, predict_frames
from mlmd.n2p2.results import N2p2Result, best_potential, collect, write_spec
from mlmd.n2p2.settings import N2p2Settings, settings_from
from mlmd.n2p2.steps import StepName, steps_for
from mlmd.n2p2.storing import step_document


class N2p2(Pipeline[N2p2Settings, TrainingData]):
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

    suite = N2P2

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
        chosen = with_changes(settings or N2p2Settings(), changes)
        super().__init__(source, workdir, chosen, programs, batch, store, told)

    def _prepared(self, frames: list[Frame]) -> TrainingData:
        return prepare_data(self.settings, frames)

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

    def _step(self, name: str, processes: int) -> Step:
        return steps_for(self.data, self.folder, processes)[StepName(name)]

    def _document(self, name: str, seconds: float, queue_id: str) -> Mapping[str, Any]:
        return step_document(StepName(name), self.data, self.folder, seconds, queue_id)

    def _digest_of(self, path: Path, step: str) -> str:
        """Return a hash of what counts in a file.

        Comments of ``input.nn`` don't; its normalisation doesn't for nnp-norm, which writes it.
        """
        if path.name != INPUT:
            return super()._digest_of(path, step)
        lines = [" ".join(line.split("#", 1)[0].split()) for line in read_lines(path)]
        if step == StepName.NORMALIZE:
            lines = [line for line in lines if line.split(" ")[0] not in NORMALISATION]
        return digest(*filter(None, lines))

    def _state(self, name: str) -> tuple[float, str] | None:
        if name != StepName.TRAIN or not (self.folder / CURVE).is_file():
            return None
        try:
            curve = self.learning_curve()
        except InvalidInput:
            return None  # its header isn't complete yet
        if not len(curve):
            return None
        epoch, epochs = int(curve.epoch[-1]), self.settings.epochs
        words = f"epoch {epoch} of {epochs}: {1000 * curve.energy_train[-1]:.3g} meV/atom"
        return min(epoch / epochs, 1.0), words


def with_changes(settings: N2p2Settings, changes: dict[str, Any]) -> N2p2Settings:
    """Return settings with some replaced by name.

    Raises:
        InvalidInput: an unknown name or a wrong value.
    """
    return settings_from({**vars(settings), **changes})
