"""Sample trainings, potentials and MD runs, for this room's tests and for those of all pages."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
from ase.build import bulk

from datasets.models import DatasetVersion, Structure
from datasets.selections import Selection
from datasets.services import (
    dataset_create,
    dataset_publish,
    frames_insert,
    structure_create_from_atoms,
)
from jobs.files import job_folder
from jobs.states import State
from labs.models import Lab, User
from mlmd.frame import Calculation, Frame
from mlmd.hdnnp.automatic import automatic_functions
from mlmd.hdnnp.files import save_potential
from mlmd.hdnnp.potential import Activation, ElementNetwork, Scaling, ScalingMode
from mlmd.hdnnp.potential import Potential as Network
from mlmd.hdnnp.training import TrainingSettings
from mlmd.md import MDSettings, Stage
from mlmd.runs import to_jsonable
from mlmd.validation.dynamics import COST
from mlmd.validation.report import (
    Check,
    CheckName,
    CheckStatus,
    Machine,
    Mark,
    MaterialSummary,
    Plot,
    Table,
    ValidationReport,
    Value,
    line,
    points,
)
from mlmd.validation.report_json import report_to_json
from potentials.archives import checksum_of, sha256_of
from potentials.models import Potential, PotentialFile, Simulation, Training, Validation
from tests.jobs.factories import make_job

_numbers = itertools.count(1)


def network(elements: tuple[str, ...] = ("Si",), seed: int = 0) -> Network:
    """Return a small potential with random weights: smooth, weak, and of no meaning."""
    rng = np.random.default_rng(seed)
    functions = automatic_functions(elements, 5.0, 3, (0.5,), (1.0,))
    scaling, networks = {}, {}
    for element in elements:
        count = len(functions[element])
        zeros, ones = np.zeros(count), np.ones(count)
        scaling[element] = Scaling(zeros - 1e3, 1e3 * ones, zeros, ones)
        shapes = [(count, 4), (4, 1)]
        networks[element] = ElementNetwork(
            weights=tuple(0.05 * rng.standard_normal(shape) for shape in shapes),
            biases=tuple(0.05 * rng.standard_normal(shape[1]) for shape in shapes),
            activations=(Activation.TANH, Activation.LINEAR),
        )
    return Network(elements, functions, scaling, networks, scaling_mode=ScalingMode.NONE)


def network_files(made: Network) -> dict[str, bytes]:
    """Return a potential's own files."""
    with tempfile.TemporaryDirectory() as folder:
        save_potential(made, folder)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def make_potential(
    owner: User, lab: Lab, visibility: str = "lab", training: Training | None = None, **fields
) -> Potential:
    """Return a potential of the catalog with files that can be used."""
    elements = fields.pop("elements", ("Si",))
    made = network(elements)
    files = network_files(made)
    values = {
        "name": f"Potential {next(_numbers)}",
        "family": "hdnnp",
        "elements_key": f"|{'|'.join(elements)}|",
        "element_count": len(elements),
        "cutoff_radius": made.cutoff_radius,
        "length_unit": "angstrom",
        "energy_unit": "ev",
        "frame_count": 30,
        "settings": to_jsonable(TrainingSettings()),
        "validation": {"by_kind": [{"label": "bulk", "train_force": 120.0}], "warnings": []},
        "energy_rmse": 5.0,
        "force_rmse": 110.0,
        "files_checksum": checksum_of(files),
    }
    potential = Potential.objects.create(
        owner=owner, lab=lab, visibility=visibility, training=training, **(values | fields)
    )
    PotentialFile.objects.bulk_create(
        PotentialFile(
            potential=potential,
            name=name,
            size=len(content),
            sha256=sha256_of(content),
            content=content,
        )
        for name, content in files.items()
    )
    return potential


def labelled_frames(count: int = 12, seed: int = 0) -> list[Frame]:
    """Return silicon crystals, rattled, with energies and forces of harmonic springs."""
    rng = np.random.default_rng(seed)
    crystal = bulk("Si", "diamond", a=5.4, cubic=True)
    frames = []
    for _ in range(count):
        moved = 0.1 * rng.standard_normal(crystal.positions.shape)
        frames.append(
            Frame(
                numbers=crystal.numbers.astype(np.uint8),
                positions=crystal.positions + moved,
                cell=crystal.cell.array,
                energy=float(-8 * 110.0 + 2.0 * (moved**2).sum()),
                forces=-4.0 * moved,
                label_source="ab initio",
                scf_converged=True,
                kind="rattled",
                calculation=Calculation(code="espresso", functional="LDA"),
            )
        )
    return frames


def make_version(
    owner: User, lab: Lab, visibility: str = "lab", frames: list[Frame] | None = None
) -> DatasetVersion:
    """Return a published dataset version."""
    dataset = dataset_create(
        owner=owner, lab=lab, name=f"Data {next(_numbers)}", visibility=visibility
    )
    frames_insert(dataset=dataset, actor=owner, frames=frames or labelled_frames())
    return dataset_publish(dataset=dataset, actor=owner)


def make_training(
    owner: User,
    lab: Lab,
    visibility: str = "lab",
    version: DatasetVersion | None = None,
    state: str = State.DONE,
) -> Training:
    """Return a training as if it had come to this state, with a learning curve."""
    version = version or make_version(owner, lab, visibility)
    selection = Selection((version.public_id,))
    job = make_job(owner, lab, visibility, state, kind="train", resources={"threads": 1})
    training = Training.objects.create(
        owner=owner,
        lab=lab,
        visibility=visibility,
        name=f"Training {next(_numbers)}",
        job=job,
        family="hdnnp",
        effort="quick",
        selection=selection.to_json(),
        data_checksum=selection.checksum(owner),
        data_summary=selection.describe(owner),
        frame_count=version.frame_count,
        elements_key="|Si|",
        settings=to_jsonable(TrainingSettings()),
    )
    training.versions.set([version])
    folder = job_folder(job)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "learning-curve.csv").write_text(
        "epoch,train_energy_rmse_mev_per_atom,validation_energy_rmse_mev_per_atom,"
        "train_force_rmse_mev_per_a,validation_force_rmse_mev_per_a,seconds\n"
        "0,90,95,800,820,0.1\n1,30,35,300,330,0.2\n"
    )
    return training


def make_report(
    bulk_modulus: float = 98.0, teacher: float | None = 100.0, shift: float = 0.0
) -> ValidationReport:
    """Return a report with a check of each outcome.

    Args:
        bulk_modulus: of the potential, GPa.
        teacher: the same of the data, GPa; None for a potential without.
        shift: of its energies, eV/atom.
    """
    volumes = (18.0, 19.0, 20.0, 21.0, 22.0)
    energies = [-5.0 + 0.01 * (volume - 20.0) ** 2 for volume in volumes]
    series = [line("Potential", volumes, [energy + shift for energy in energies])]
    if teacher is not None:
        series.append(points("Teacher data", volumes, energies))
    source = "teacher data" if teacher is not None else ""
    volume = Check(
        CheckName.VOLUME,
        "Energy and volume",
        CheckStatus.DONE,
        values=(
            Value("Bulk modulus", bulk_modulus, "GPa", teacher, source, "Si (Fd-3m)"),
            Value("Volume", 20.0 + shift, "Å³/atom", None, "", "Si (Fd-3m)"),
        ),
        plots=(
            Plot(
                "energy-volume",
                "Energy and volume",
                "volume / Å³ per atom",
                "energy / eV per atom",
                tuple(series),
                (Mark(20.0, "V0"),),
                "Si (Fd-3m)",
            ),
        ),
        tables=(Table("Points", ("volume / Å³", "name"), ((18.5, "a"), (None, "b"))),),
        notes=("The fit is of third order.",),
        seconds=1.5,
    )
    skipped = Check(
        CheckName.SURFACES, "Surfaces", CheckStatus.SKIPPED, "The slab would be too large."
    )
    failed = Check(CheckName.PHONONS, "Phonons", CheckStatus.FAILED, "The forces are not finite.")
    speed = Check(
        CheckName.SPEED,
        "Speed",
        CheckStatus.DONE,
        values=(Value(COST, 20.0 + 100 * shift, "µs"),),
    )
    material = MaterialSummary("Si (Fd-3m)", "Si", "Fd-3m (227)", 2, "teacher data")
    return ValidationReport(
        1, (volume, failed, skipped, speed), (material,), Machine("A processor", 1), 3.0, 12
    )


def make_validation(
    potential: Potential, report: ValidationReport | None = None, state: str = State.DONE
) -> Validation:
    """Return a validation as if it had come to this state; done ones have a report."""
    job = make_job(potential.owner, potential.lab, potential.visibility, state, kind="validate")
    if report is None and state == State.DONE:
        report = make_report()
    content = {} if report is None else report_to_json(report)
    return Validation.objects.create(potential=potential, job=job, settings={}, report=content)


def make_structure(owner: User, lab: Lab, visibility: str = "lab", symbol: str = "Si") -> Structure:
    """Return a crystal of eight atoms."""
    atoms = bulk(symbol, "diamond", a=5.4, cubic=True)
    return structure_create_from_atoms(
        owner=owner, lab=lab, name=f"{symbol} crystal", atoms=atoms, visibility=visibility
    )


def short_settings(steps: int = 40) -> MDSettings:
    """Return settings of a run that takes no time."""
    return MDSettings(
        stages=(Stage(steps=steps, temperature_start=300.0),),
        sample_every=5,
        trajectory_every=10,
        rdf_range=4.0,
        rdf_bins=40,
    )


def make_simulation(
    owner: User,
    lab: Lab,
    visibility: str = "lab",
    potential: Potential | None = None,
    structure: Structure | None = None,
    state: str = State.DONE,
) -> Simulation:
    """Return an MD run as if it had come to this state, without files."""
    structure = structure or make_structure(owner, lab, visibility)
    job = make_job(owner, lab, visibility, state, kind="md", resources={"threads": 1})
    return Simulation.objects.create(
        owner=owner,
        lab=lab,
        visibility=visibility,
        name=f"MD {next(_numbers)}",
        job=job,
        potential=potential or make_potential(owner, lab, visibility),
        structure=structure,
        structure_hash=structure.structure_hash,
        repeats=[1, 1, 1],
        atom_count=structure.n_atoms,
        formula=structure.formula,
        settings=to_jsonable(short_settings()),
    )
