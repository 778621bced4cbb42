"""A training or an MD run in one call, for notebooks and scripts.

    from mlmd import hold, ramp, simulate, train

    fit = train("runs/", "silicon")
    melt = simulate("silicon/potential", atoms, "melt", ramp(300, 3000, 10_000), hold(1800, 20_000))
    rdf = melt.radial_distribution()

The folders are the same as those of ``mlmd train`` and ``mlmd md``. A call whose folder holds the
finished run returns it; one that was interrupted goes on; another run's folder is refused.
"""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read
from numpy.typing import NDArray

from mlmd.analysis import RadialDistribution
from mlmd.analysis.runs import FrameRange, trajectory_radial
from mlmd.errors import InvalidInput
from mlmd.external.gathering import Source, gather_frames, gather_vasp
from mlmd.frame import Frame
from mlmd.hdnnp import training
from mlmd.hdnnp.training import Effort, TrainingResult, TrainingSpec, automatic_settings
from mlmd.launch import Resources
from mlmd.md import Ensemble, MDResult, MDSettings, MDSpec, RunStatus, Stage, StageKind
from mlmd.md import launching as dynamics
from mlmd.md.candidates import CANDIDATES_FILE
from mlmd.md.results import RESULT_FILE, SPEC_FILE, TRAJECTORY_FILE, collect
from mlmd.md.settings import settings_from_mapping
from mlmd.md.thermo import read_thermo
from mlmd.runs import read_json
from mlmd.trajectory import TrajectoryReader


@dataclass(frozen=True)
class Dynamics:
    """An MD run that has ended.

    Args:
        folder: with all its files.
        result: its summary.
    """

    folder: Path
    result: MDResult

    def thermo(self) -> dict[str, NDArray[np.float64]]:
        """Return the columns of the log by name, shape (rows,) each; units are in the names."""
        return read_thermo(self.folder)

    def trajectory(self) -> TrajectoryReader:
        """Open the trajectory; frames have positions in Å."""
        return TrajectoryReader(self.folder / TRAJECTORY_FILE)

    def candidates(self) -> list[Atoms]:
        """Return the frames that were put aside to be computed and trained on."""
        path = self.folder / CANDIDATES_FILE
        return list(read(path, ":", format="extxyz")) if path.is_file() else []

    def radial_distribution(
        self, frames: FrameRange | None = None, r_max: float = 10.0, bins: int = 400
    ) -> RadialDistribution:
        """Return partial g(r).

        Args:
            frames: to average over; None for the last stage without its first fifth.
            r_max: largest distance, Å.
            bins: equal bins up to it.
        """
        with self.trajectory() as reader:
            return trajectory_radial(reader, frames, r_max, bins)


def hold(
    temperature: float,
    steps: int,
    ensemble: Ensemble | str = Ensemble.NVT_BUSSI,
    pressure: float = 0.0,
) -> Stage:
    """Return a stage at one temperature, K; the pressure, GPa, counts in NPT only."""
    return Stage(
        steps=steps,
        kind=StageKind.HOLD,
        ensemble=Ensemble(ensemble),
        temperature_start=temperature,
        pressure=pressure,
    )


def ramp(
    start: float,
    end: float,
    steps: int,
    ensemble: Ensemble | str = Ensemble.NVT_BUSSI,
    pressure: float = 0.0,
) -> Stage:
    """Return a stage that heats or quenches in a straight line, K; pressure in GPa."""
    if start == end:
        return hold(start, steps, ensemble, pressure)
    return Stage(
        steps=steps,
        kind=StageKind.HEAT if end > start else StageKind.QUENCH,
        ensemble=Ensemble(ensemble),
        temperature_start=start,
        temperature_end=end,
        pressure=pressure,
    )


def train(
    source: Source,
    folder: Path | str,
    effort: Effort | str = Effort.NORMAL,
    threads: int = 2,
    **changes: Any,
) -> TrainingResult:
    """Train a potential with our own engine; it is in ``folder/potential``.

    Args:
        source: a folder of vasprun.xml files at any depth, compressed or not; or paths of files
            in any format, frames, ASE atoms or documents, one or many.
        folder: of the run.
        effort: how long to train.
        threads: processor cores to use.
        **changes: settings by name, over what suits the frames.

    Raises:
        InvalidInput: a file, a frame or a setting is wrong, or the folder is of another run.
        Stopped: it was asked to stop; the same call goes on.
    """
    frames = list(_frames(source))
    settings = automatic_settings(frames, Effort(effort))
    unknown = sorted(changes.keys() - set(settings.__dataclass_fields__))
    if unknown:
        training.settings_from(dict.fromkeys(unknown))  # says which name is meant
    spec = TrainingSpec(replace(settings, **changes), frames, threads=threads)
    place = _prepared(Path(folder), lambda new: training.prepare(spec, new), _training_settings)
    if (place / training.RESULT_FILE).is_file():
        return training.collect(place)
    return training.run_directory(place)


def simulate(
    potential: Path | str,
    atoms: Atoms,
    folder: Path | str,
    *stages: Stage,
    threads: int = 2,
    committee: Path | str | None = None,
    **settings: Any,
) -> Dynamics:
    """Run molecular dynamics with our own engine.

    Args:
        potential: its folder.
        atoms: to start from.
        folder: of the run.
        *stages: one after another; `hold` and `ramp` make them.
        threads: processor cores to use.
        committee: folder of a committee's training, whose disagreement is watched.
        **settings: of `mlmd.md.MDSettings`, by name.

    Raises:
        InvalidInput: the potential doesn't know an element, a setting is wrong, or the folder is
            of another run.
        Stopped: it was asked to stop; the same call goes on.
    """
    chosen = MDSettings(stages=tuple(stages) or (Stage(),), **settings)
    watched = None if committee is None else str(committee)
    spec = MDSpec(chosen, atoms, str(potential), Resources(threads=threads), watched)
    place = _prepared(Path(folder), lambda new: dynamics.prepare(spec, new), _run_settings)
    if (place / RESULT_FILE).is_file() and collect(place).status is RunStatus.FINISHED:
        return Dynamics(place, collect(place))
    return Dynamics(place, dynamics.run_directory(place))


def _frames(source: Source) -> Iterable[Frame]:
    if isinstance(source, str | Path) and Path(source).is_dir():
        return gather_vasp(Path(source))
    return gather_frames(source)


def _training_settings(values: dict[str, Any]) -> object:
    return training.settings_from(values)


def _run_settings(values: dict[str, Any]) -> object:
    return settings_from_mapping(values)


def _prepared(
    folder: Path,
    prepare: Callable[[Path], object],
    read_settings: Callable[[dict[str, Any]], object],
) -> Path:
    """Return the folder with the files of a run in it; those that are there must be the same."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".new-") as scratch:
        prepare(Path(scratch))
        wanted = sorted(_files(Path(scratch)))
        if (folder / SPEC_FILE).is_file():
            _check_same(folder, Path(scratch), wanted, read_settings)
            return folder
        # The settings last: only with them is it a run.
        for name in sorted(wanted, key=lambda name: name == Path(SPEC_FILE)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(Path(scratch) / name, folder / name)
    return folder


def _check_same(
    folder: Path,
    other: Path,
    names: Sequence[Path],
    read_settings: Callable[[dict[str, Any]], object],
) -> None:
    for name in names:
        same = False
        with suppress(FileNotFoundError):
            same = filecmp.cmp(folder / name, other / name, shallow=False)
        if not same and name == Path(SPEC_FILE):
            same = _same_spec(folder / name, other / name, read_settings)
        if not same:
            raise InvalidInput(
                str(folder),
                f"another run: its {name} differs",
                "a new folder, or the same call as before",
                "Choose another folder, or remove this one.",
            )


def _same_spec(one: Path, other: Path, read_settings: Callable[[dict[str, Any]], object]) -> bool:
    """Compare what two files mean: one of an older version lacks what is at its default since."""
    contents = [read_json(one), read_json(other)]
    meant = [
        (
            {key: value for key, value in content.items() if key != "settings"},
            read_settings(content["settings"])
            if isinstance(content.get("settings"), dict)
            else None,
        )
        for content in contents
    ]
    return meant[0] == meant[1]


def _files(folder: Path) -> Iterator[Path]:
    return (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
