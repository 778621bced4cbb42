"""aenet in a few lines: ``Aenet(frames, workdir)`` and one call for each of its programs.

    from mlmd import Aenet

    aenet = Aenet.from_vasp("runs/", "si-aenet", epochs=300)
    aenet.write_structures()
    aenet.write_generate()
    aenet.write_train()
    aenet.generate()
    aenet.train()
    potential = aenet.potential()

Each call leaves files in the folder and does nothing when they are already what it would make,
so a script can be stopped and started again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlmd.aenet.data import AenetData, prepare_data
from mlmd.aenet.files import load_aenet
from mlmd.aenet.input_files import (
    GENERATE,
    POTENTIAL_FOLDER,
    TRAIN,
    TRAIN_LOG,
    structure_name,
    write_generate,
    write_structures,
    write_train,
)
from mlmd.aenet.outputs import AENET, LearningCurve, read_learning_curve
from mlmd.aenet.potential import AenetPotential
from mlmd.aenet.prediction import Predictions, predict_frames
from mlmd.aenet.results import AenetResult, collect, finish, write_spec
from mlmd.aenet.settings import AenetSettings, settings_from
from mlmd.aenet.steps import StepName, step_of
from mlmd.aenet.storing import step_document
from mlmd.batch import Batch
from mlmd.external.gathering import Source, gather_frames
from mlmd.external.pipeline import Pipeline, StepReport, Told
from mlmd.external.programs import Programs
from mlmd.external.steps import Step
from mlmd.external.storing import Store
from mlmd.frame import Frame


class Aenet(Pipeline[AenetSettings, AenetData]):
    """A training with aenet in one folder.

    Args:
        source: frames, ASE atoms, documents of `mlmd.documents`, or paths of files to read.
        workdir: takes everything; made where it doesn't exist.
        settings: of the training; the defaults fail for no material.
        programs: where aenet's programs are (generate.x, train.x, predict.x), a container image,
            MPI processes.
        batch: a batch system to go through, as `Batch` or by its name with the default queue.
        store: takes a document of every step: a folder, the URL of a MongoDB database, or a
            `mlmd.Portal`.
        told: takes the done fraction and a line of text while a step runs; None prints.
        **changes: settings by name, for example ``epochs=100``.

    Raises:
        InvalidInput: unknown settings.
    """

    suite = AENET

    def __init__(
        self,
        source: Source,
        workdir: Path | str,
        settings: AenetSettings | None = None,
        *,
        programs: Programs | None = None,
        batch: Batch | str | None = None,
        store: Store | None = None,
        told: Told | None = None,
        **changes: Any,
    ) -> None:
        chosen = settings_from({**vars(settings or AenetSettings()), **changes})
        super().__init__(source, workdir, chosen, programs, batch, store, told)

    def write_structures(self, *, force: bool = False) -> StepReport:
        """Write each frame as an XSF file of its own, in ``structures/``."""
        return self._write("write_structures", structure_name(0), write_structures, force)

    def write_generate(self, *, force: bool = False) -> StepReport:
        """Write ``generate.in`` and the set-up of each element.

        Args:
            force: write them again in any case; changes by hand are lost.
        """
        return self._write("write_generate", GENERATE, write_generate, force)

    def write_train(self, *, force: bool = False) -> StepReport:
        """Write ``train.in`` and the first weights; ``force`` as of `write_generate`."""
        return self._write("write_train", TRAIN, write_train, force)

    def generate(self, **how: Any) -> StepReport:
        """Run generate.x, which computes the functions of every atom.

        Args:
            **how: ``batch=``, ``programs=`` and ``store=`` for this step alone.
        """
        self._write_inputs()
        return self._run(StepName.GENERATE, **how)

    def train(self, **how: Any) -> StepReport:
        """Run train.x, and take the networks of its best epoch; ``how`` as of `generate`."""
        self.generate(**how)
        return self._run(StepName.TRAIN, **how)

    def predict(self, frames: Source, programs: Programs | None = None) -> Predictions:
        """Run the trained potential on frames with predict.x itself."""
        potential = self.folder / POTENTIAL_FOLDER
        return predict_frames(gather_frames(frames), potential, programs or self.programs)

    def run(self, **how: Any) -> AenetResult:
        """Do every step that isn't done yet; return the result."""
        self.train(**how)
        return self.result()

    def result(self) -> AenetResult:
        """Return errors, parity and learning curve; `train` is done."""
        write_spec(self.data, self.folder)
        finish(self.folder)
        return collect(self.folder)

    def learning_curve(self) -> LearningCurve:
        """Return the errors after every epoch so far; also while train.x runs elsewhere."""
        return read_learning_curve(self.folder / TRAIN_LOG)

    def potential(self) -> AenetPotential:
        """Return the potential of the best epoch; its files are in ``potential/``."""
        return load_aenet(self.folder / POTENTIAL_FOLDER)

    def _write_inputs(self) -> None:
        self.write_structures()
        self.write_generate()
        self.write_train()

    def _prepared(self, frames: list[Frame]) -> AenetData:
        return prepare_data(self.settings, frames)

    def _step(self, name: str, processes: int) -> Step:
        layers = self.settings.as_ours.layers
        data = self.data
        return step_of(StepName(name), data.elements, layers, len(data.frames), processes)

    def _document(self, name: str, seconds: float, queue_id: str) -> Mapping[str, Any]:
        return step_document(StepName(name), self.data, self.folder, seconds, queue_id)

    def _state(self, name: str) -> tuple[float, str] | None:
        if name != StepName.TRAIN or not (self.folder / TRAIN_LOG).is_file():
            return None
        curve = self.learning_curve()
        if not len(curve):
            return None
        epoch, epochs = int(curve.epoch[-1]), self.settings.epochs
        words = f"epoch {epoch} of {epochs}: {1000 * curve.energy_train[-1]:.3g} meV/atom"
        return min(epoch / epochs, 1.0), words
