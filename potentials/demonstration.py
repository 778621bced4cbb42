"""The whole job with the bundled silicon data: train, run MD, measure, hold against bounds."""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk
from scipy.signal import find_peaks

from datasets.models import Origin, Structure
from datasets.selections import Selection
from datasets.services import bundled_silicon_dataset, structure_create_from_atoms
from jobs.files import job_folder, log_tail
from jobs.models import Job
from jobs.services import cluster_ensure_local
from jobs.states import State
from labs.models import Lab
from mlmd.md import Ensemble, MDSettings, Stage
from potentials import drawings
from potentials.cards import archive_of
from potentials.families import FAMILIES
from potentials.models import Effort, Potential, Simulation
from potentials.requests import family_settings
from potentials.run_json import json_or_none
from potentials.services.simulations import SimulationRequest, simulation_start
from potentials.services.trainings import TrainingRequest, training_start

LATTICE_CONSTANT = 5.40  # Å, of silicon with the functional of the bundled data (LDA)
REPEATS = (3, 3, 3)
THREADS = 2
PEAKS = 3
POLL = 0.5  # s between two looks at a job


class DemonstrationFailed(Exception):
    """A step of the demonstration went wrong; the text says which and how."""


@dataclass(frozen=True)
class Measure:
    """One number of the summary.

    Args:
        name: what was measured.
        value: the number.
        unit: its unit.
        low: least value that is accepted, or None.
        high: largest value that is accepted, or None.
    """

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the number lies within its bounds; NaN never does."""
        above = self.low is None or self.value >= self.low
        return bool(above and (self.high is None or self.value <= self.high))

    @property
    def bound(self) -> str:
        """The bounds in words; empty where there are none."""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}"
        return f"at most {self.high:g}" if self.high is not None else ""


def demonstrate(*, owner: Any, lab: Lab, output: Path, say: Callable[[str], Any]) -> list[Measure]:
    """Train on the bundled silicon data, run MD, and write everything to a folder.

    A worker has to be running; everything goes through the services that the site uses.

    Args:
        owner: in whose name.
        lab: where the rows go.
        output: takes the potential, the figures, the tables and the summary.
        say: takes one line for the person who watches.

    Raises:
        DemonstrationFailed: a run failed.
    """
    begin = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    potential = _train(owner, lab, say)
    simulation = _simulate(owner, lab, potential, say)
    measures = _measures(potential, simulation, time.monotonic() - begin)
    _write(output, potential, simulation, measures)
    return measures


def summary_table(measures: list[Measure]) -> str:
    """Return the numbers as a table of text."""
    rows = [("", "value", "unit", "accepted", "")]
    rows += [
        (m.name, f"{m.value:.4g}", m.unit, m.bound, "ok" if m.is_accepted else "MISSED")
        for m in measures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column == 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _train(owner: Any, lab: Lab, say: Callable[[str], Any]) -> Potential:
    dataset = bundled_silicon_dataset(owner=owner, lab=lab)
    version = dataset.versions.usable().order_by("-number").first()
    say(f"Teacher data: {version}, {version.frame_count} frames")
    family = FAMILIES["hdnnp"]
    training = training_start(
        owner=owner,
        lab=lab,
        request=TrainingRequest(
            name="Silicon demo",
            selection=Selection((version.public_id,)),
            family=family.name,
            effort=Effort.NORMAL,
            settings=family_settings(family, Effort.NORMAL, {}),
            cluster=cluster_ensure_local(),
            threads=THREADS,
        ),
    )
    _wait(training.job, "Training", say)
    return Potential.objects.get(training=training)


def _simulate(owner: Any, lab: Lab, potential: Potential, say: Callable[[str], Any]) -> Simulation:
    structure = _crystal(owner, lab)
    settings = MDSettings(
        stages=(
            Stage(steps=1000, ensemble=Ensemble.NVT_BUSSI, temperature_start=300.0),
            Stage(steps=3000, ensemble=Ensemble.NVE, temperature_start=300.0),
        ),
        time_step=1.0,
        sample_every=5,
        trajectory_every=20,
    )
    simulation = simulation_start(
        owner=owner,
        lab=lab,
        request=SimulationRequest(
            name="Silicon at 300 K",
            potential=potential,
            structure=structure,
            repeats=REPEATS,
            settings=settings,
            cluster=cluster_ensure_local(),
            threads=THREADS,
        ),
    )
    _wait(simulation.job, "Molecular dynamics", say)
    simulation.refresh_from_db()
    return simulation


def _crystal(owner: Any, lab: Lab) -> Structure:
    atoms = bulk("Si", "diamond", a=LATTICE_CONSTANT, cubic=True)
    return structure_create_from_atoms(
        owner=owner,
        lab=lab,
        name="Silicon, diamond",
        atoms=atoms,
        origin=Origin.BULK,
        recipe={"crystal": "diamond", "element": "Si", "a": LATTICE_CONSTANT},
    )


def _wait(job: Job, what: str, say: Callable[[str], Any]) -> None:
    said = ""
    while True:
        job.refresh_from_db()
        progress = job.progress or {}
        line = f"{what}: {job.get_state_display()}"
        if job.state == State.RUNNING and progress:
            line = f"{what}: {100 * progress['fraction']:3.0f} %  {progress['message']}"
        if line != said:
            say(line)
            said = line
        if job.is_final:
            break
        time.sleep(POLL)
    if job.state != State.DONE:
        raise DemonstrationFailed(
            f"{what} ended as {job.get_state_display()}: {job.reason}\n{log_tail(job)}"
        )


def _measures(potential: Potential, simulation: Simulation, seconds: float) -> list[Measure]:
    nve = simulation.result["stages"][-1]
    missing = float("nan")
    measures = [
        Measure("Energy RMSE, held out", potential.energy_rmse or missing, "meV/atom", 0, 15),
        Measure("Force RMSE, held out", potential.force_rmse or missing, "meV/Å", 0, 150),
        Measure("NVE drift", nve["energy_drift"], "meV/atom/ps", -0.1, 0.1),
        Measure("Mean temperature in NVE", nve["temperature"], "K", 240, 360),
    ]
    # Shells of the diamond lattice: √3/4, √2/2 and √11/4 of the lattice constant.
    shells = LATTICE_CONSTANT * np.array([np.sqrt(3) / 4, np.sqrt(2) / 2, np.sqrt(11) / 4])
    peaks = _radial_peaks(job_folder(simulation.job))
    for number, shell in enumerate(shells):
        found = peaks[number] if number < len(peaks) else missing
        low, high = round(shell - 0.1, 2), round(shell + 0.1, 2)
        measures.append(Measure(f"Peak {number + 1} of g(r)", found, "Å", low, high))
    measures.append(Measure("Time for all of it", seconds, "s"))
    return measures


def _radial_peaks(folder: Path) -> list[float]:
    """Return where g(r) has its first maxima, Å; wiggles below a tenth of g = 1 don't count."""
    found = json_or_none(folder / "rdf.json")
    if found is None:
        return []
    values = np.asarray(found["total"])
    places, _properties = find_peaks(values, height=1.0, prominence=0.5, distance=5)
    return [float(found["distances"][place]) for place in places[:PEAKS]]


def _write(
    output: Path, potential: Potential, simulation: Simulation, measures: list[Measure]
) -> None:
    fit, md = job_folder(potential.training.job), job_folder(simulation.job)
    for name in ("energy", "force"):
        drawings.draw_learning_curve(fit, name, output / f"learning-curve-{name}.svg")
        drawings.draw_parity(fit, name, output / f"parity-{name}.svg")
    drawings.draw_radial(md, output / "rdf.svg")
    drawings.draw_conserved(md, simulation.atom_count, output / "md-conserved-energy.svg")
    drawings.draw_temperature(md, output / "md-temperature.svg")
    shutil.copyfile(fit / "learning-curve.csv", output / "learning-curve.csv")
    shutil.copyfile(md / "thermo.csv", output / "md-thermo.csv")
    shutil.copyfile(md / "rdf.json", output / "rdf.json")
    name, content = archive_of(potential, "made by the demonstration")
    (output / name).write_bytes(content)
    with zipfile.ZipFile(BytesIO(content)) as archive:
        archive.extractall(output)
    (output / "summary.txt").write_text(summary_table(measures) + "\n", encoding="utf-8")
    listed = [{**asdict(m), "is_accepted": m.is_accepted} for m in measures]
    (output / "summary.json").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
