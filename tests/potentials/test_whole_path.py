"""Training and MD through services and the job machine's own steps, with real processes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from datasets.selections import Selection
from jobs.files import job_folder
from jobs.services import job_cancel
from jobs.states import State
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential
from mlmd.hdnnp.training import TrainingSettings
from mlmd.trajectory import TrajectoryReader
from potentials.cards import archive_of
from potentials.models import Potential
from potentials.services.simulations import (
    SimulationRequest,
    simulation_start,
    simulation_structure_save,
)
from potentials.services.trainings import TrainingRequest, training_start
from tests.potentials.factories import (
    labelled_frames,
    make_potential,
    make_structure,
    make_version,
    short_settings,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SMALL = TrainingSettings(
    epochs=3, patience=3, cutoff_radius=5.0, radial_functions=3, angular_widths="0.5",
    angular_zetas="1", hidden_nodes="4",
)  # fmt: skip


def start_training(owner, lab, cluster, version):
    request = TrainingRequest(
        name="Small",
        selection=Selection((version.public_id,)),
        family="hdnnp",
        effort="quick",
        settings=SMALL,
        cluster=cluster,
        threads=1,
    )
    return training_start(owner=owner, lab=lab, request=request)


def start_simulation(owner, lab, cluster, **changes):
    values = {
        "name": "Short",
        "potential": make_potential(owner, lab),
        "structure": make_structure(owner, lab),
        "repeats": (2, 1, 1),
        "settings": short_settings(200),
        "cluster": cluster,
        "threads": 1,
    }
    request = SimulationRequest(**(values | changes))
    return simulation_start(owner=owner, lab=lab, request=request)


def test_a_training_becomes_a_potential_with_its_provenance(owner, lab, cluster, finish):
    version = make_version(owner, lab, frames=labelled_frames(18))
    training = start_training(owner, lab, cluster, version)
    job = finish(training.job)
    assert job.state == State.DONE, job.reason + job.log_tail
    training.refresh_from_db()
    potential = Potential.objects.get(training=training)
    assert potential.elements == ["Si"]
    assert potential.data_checksum == version.checksum
    assert list(potential.versions.all()) == [version]
    assert potential.frame_count == 18
    assert potential.energy_rmse > 0
    assert potential.force_rmse > 0
    assert potential.settings["epochs"] == 3
    assert potential.cutoff_radius == pytest.approx(5.0)
    assert {file.name for file in potential.files.all()} >= {
        "input.nn",
        "scaling.data",
        "weights.014.data",
    }
    labels = {entry["label"] for entry in potential.validation["by_kind"]}
    assert labels == {"rattled"}


def test_what_became_of_the_automatic_functions_is_told(owner, lab, cluster, finish, sign_in):
    training = start_training(owner, lab, cluster, make_version(owner, lab))
    assert finish(training.job).state == State.DONE
    training.refresh_from_db()
    potential = Potential.objects.get(training=training)
    (row,) = training.result["descriptors"]
    assert row["element"] == "Si"
    assert row["offered"] == 5 == row["kept"] + row["constant"] + row["doubled"] + row["told"]
    assert potential.validation["descriptors"] == [row]
    client = sign_in(owner)
    for page in (f"/train/{training.public_id}/", f"/potentials/{potential.public_id}/"):
        words = client.get(page).content.decode()
        assert "Symmetry functions that were chosen" in words
        assert f'data-label="Kept">{row["kept"]}<' in words
    answer = client.get(f"/api/v1/trainings/{training.public_id}/").json()
    assert answer["result"]["descriptors"] == [row]


def test_the_download_holds_the_potential_that_was_trained(owner, lab, cluster, finish, tmp_path):
    training = start_training(owner, lab, cluster, make_version(owner, lab))
    job = finish(training.job)
    assert job.state == State.DONE, job.reason + job.log_tail
    potential = Potential.objects.get(training=training)
    name, content = archive_of(potential, "https://example.org/p/")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(tmp_path / "unpacked")
    (folder,) = (tmp_path / "unpacked").iterdir()
    assert folder.name == Path(name).stem
    crystal = bulk("Si", "diamond", a=5.5)
    arguments = (crystal.numbers, crystal.positions, crystal.cell.array, (True, True, True))
    fetched = Evaluator(load_potential(job_folder(job) / "potential")).compute(*arguments)
    unpacked = Evaluator(load_potential(folder)).compute(*arguments)
    assert unpacked.energy == fetched.energy
    np.testing.assert_array_equal(unpacked.forces, fetched.forces)


def test_a_second_training_of_the_same_name_is_the_next_version(owner, lab, cluster, finish):
    version = make_version(owner, lab)
    for _ in range(2):
        assert finish(start_training(owner, lab, cluster, version).job).state == State.DONE
    assert sorted(Potential.objects.values_list("version", flat=True)) == [1, 2]


def test_a_training_that_is_cancelled_leaves_no_potential(owner, lab, cluster, finish):
    training = start_training(owner, lab, cluster, make_version(owner, lab))
    job_cancel(job=training.job, actor=owner)
    assert finish(training.job).state == State.CANCELLED
    assert not Potential.objects.exists()


def test_an_md_run_brings_back_its_numbers_and_its_trajectory(owner, lab, cluster, finish):
    simulation = start_simulation(owner, lab, cluster)
    job = finish(simulation.job)
    assert job.state == State.DONE, job.reason + job.log_tail
    simulation.refresh_from_db()
    assert simulation.atom_count == 16
    assert simulation.result["steps"] == 200
    assert simulation.result["status"] == "finished"
    with TrajectoryReader(job_folder(job) / "trajectory.mtj") as reader:
        assert len(reader) == 21
        assert len(reader.numbers) == 16


def test_the_last_configuration_becomes_a_structure(owner, lab, cluster, finish):
    simulation = start_simulation(owner, lab, cluster)
    assert finish(simulation.job).state == State.DONE
    structure = simulation_structure_save(simulation=simulation, actor=owner, name="Hot silicon")
    assert structure.n_atoms == 16
    assert structure.parent == simulation.structure
    assert structure.recipe["simulation"] == str(simulation.public_id)
    assert structure.recipe["step"] == 200
