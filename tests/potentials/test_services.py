"""What services accept and refuse."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied

from datasets.selections import Selection
from jobs.models import Job
from jobs.states import State
from labs.exceptions import Refused
from labs.models import AuditEvent
from mlmd.errors import InvalidInput
from mlmd.hdnnp.training import TrainingSettings
from potentials.models import Potential, Simulation, Training
from potentials.services.potentials import potential_delete, potential_update
from potentials.services.simulations import (
    SimulationRequest,
    simulation_delete,
    simulation_start,
)
from potentials.services.trainings import (
    TrainingRequest,
    training_delete,
    training_prepare,
    training_start,
)
from tests.potentials.factories import (
    make_potential,
    make_simulation,
    make_structure,
    make_training,
    make_version,
    short_settings,
)

pytestmark = pytest.mark.django_db


def training_request(version, cluster, **changes):
    values = {
        "name": "Silicon",
        "selection": Selection((version.public_id,)),
        "family": "hdnnp",
        "effort": "quick",
        "settings": TrainingSettings(epochs=2),
        "cluster": cluster,
    }
    return TrainingRequest(**(values | changes))


def simulation_request(potential, structure, cluster, **changes):
    values = {
        "name": "Silicon at 300 K",
        "potential": potential,
        "structure": structure,
        "settings": short_settings(),
        "cluster": cluster,
    }
    return SimulationRequest(**(values | changes))


def test_a_training_remembers_exactly_which_data_it_uses(owner, lab, cluster):
    version = make_version(owner, lab)
    training = training_start(owner=owner, lab=lab, request=training_request(version, cluster))
    assert training.frame_count == 12
    assert training.data_checksum == version.checksum
    assert training.settings["epochs"] == 2
    assert training.elements_key == "|Si|"
    assert training.job.kind == "train"
    assert AuditEvent.objects.filter(verb="training started", actor=owner).exists()


@pytest.mark.parametrize(
    ("data", "wanted", "run_is"),
    [
        ("public", "public", "public"),
        ("lab", "public", "lab"),
        ("private", "lab", "private"),
        ("public", "private", "private"),
    ],
)
def test_the_files_of_a_training_are_seen_by_those_who_may_see_the_data(
    owner, lab, cluster, data, wanted, run_is
):
    request = training_request(make_version(owner, lab, data), cluster, visibility=wanted)
    training = training_start(owner=owner, lab=lab, request=request)
    assert training.job.visibility == run_is
    assert training.visibility == wanted


def test_a_manager_deletes_a_training_on_data_of_a_colleague(owner, guest, lab, cluster):
    request = training_request(make_version(owner, lab, "private"), cluster)
    training = training_start(owner=owner, lab=lab, request=request)
    Job.objects.filter(pk=training.job_id).update(state=State.FAILED)
    training.job.refresh_from_db()
    lab.memberships.filter(user=guest).update(role="manager")
    training_delete(training=training, actor=guest)
    assert not Job.objects.filter(pk=training.job_id).exists()


def test_a_training_writes_every_chosen_frame(owner, lab, cluster, tmp_path):
    version = make_version(owner, lab)
    training = training_start(owner=owner, lab=lab, request=training_request(version, cluster))
    launch = training_prepare(training=training, folder=tmp_path)
    assert launch.commands[0].argv[:2] == ("mlmd", "train")
    assert len((tmp_path / "frames.jsonl").read_text().splitlines()) == 12


def test_a_training_whose_data_changed_is_refused(owner, lab, cluster, tmp_path):
    version = make_version(owner, lab)
    training = training_start(owner=owner, lab=lab, request=training_request(version, cluster))
    training.data_checksum = "0" * 64
    with pytest.raises(Refused, match="changed"):
        training_prepare(training=training, folder=tmp_path)


def test_guests_start_no_runs(owner, guest, lab, cluster):
    version, potential = make_version(owner, lab), make_potential(owner, lab)
    with pytest.raises(PermissionDenied):
        training_start(owner=guest, lab=lab, request=training_request(version, cluster))
    request = simulation_request(potential, make_structure(owner, lab), cluster)
    with pytest.raises(PermissionDenied):
        simulation_start(owner=guest, lab=lab, request=request)
    assert not Job.objects.exists()


def test_data_of_another_lab_cannot_be_trained_on(owner, lab, stranger, cluster):
    theirs = stranger.memberships.get().lab
    version = make_version(stranger, theirs)
    with pytest.raises(Refused, match="visible"):
        training_start(owner=owner, lab=lab, request=training_request(version, cluster))
    assert not Training.objects.exists()


def test_a_training_without_a_name_is_refused(owner, lab, cluster):
    request = training_request(make_version(owner, lab), cluster, name="  ")
    with pytest.raises(Refused, match="name"):
        training_start(owner=owner, lab=lab, request=request)


def test_a_structure_with_unknown_elements_is_refused(owner, lab, cluster):
    request = simulation_request(
        make_potential(owner, lab), make_structure(owner, lab, symbol="Ge"), cluster
    )
    with pytest.raises(Refused, match="Ge"):
        simulation_start(owner=owner, lab=lab, request=request)
    assert not Simulation.objects.exists()


def test_a_private_potential_of_a_colleague_cannot_be_used(owner, lab, cluster):
    from tests.jobs.factories import make_user

    potential = make_potential(make_user(lab), lab, "private")
    request = simulation_request(potential, make_structure(owner, lab), cluster)
    with pytest.raises(Refused, match="visible"):
        simulation_start(owner=owner, lab=lab, request=request)


def test_too_many_atoms_are_refused_before_anything_is_built(owner, lab, cluster):
    request = simulation_request(
        make_potential(owner, lab), make_structure(owner, lab), cluster, repeats=(100, 100, 100)
    )
    with pytest.raises(Refused, match="8000000"):
        simulation_start(owner=owner, lab=lab, request=request)


def test_settings_that_do_not_fit_together_are_refused(owner, lab, cluster):
    settings = short_settings()
    object.__setattr__(settings, "thermostat_time", 1.0)
    request = simulation_request(
        make_potential(owner, lab), make_structure(owner, lab), cluster, settings=settings
    )
    with pytest.raises(InvalidInput, match="thermostat"):
        simulation_start(owner=owner, lab=lab, request=request)


def test_a_potential_that_a_run_used_cannot_be_deleted(owner, lab):
    simulation = make_simulation(owner, lab)
    with pytest.raises(Refused, match="provenance"):
        potential_delete(potential=simulation.potential, actor=owner)
    potential = make_potential(owner, lab)
    potential_delete(potential=potential, actor=owner)
    assert not Potential.objects.filter(pk=potential.pk).exists()


def test_only_owner_and_managers_change_a_card(owner, lab, guest):
    potential = make_potential(owner, lab)
    said = {
        "name": "Better name",
        "licence": "CC-BY-4.0",
        "description": "",
        "not_for": "liquids",
        "visibility": "public",
    }
    with pytest.raises(PermissionDenied):
        potential_update(potential=potential, actor=guest, **said)
    potential_update(potential=potential, actor=owner, **said)
    potential.refresh_from_db()
    assert (potential.name, potential.not_for) == ("Better name", "liquids")
    with pytest.raises(Refused, match="visibility"):
        potential_update(potential=potential, actor=owner, **(said | {"visibility": "secret"}))


def test_deleting_a_potential_of_a_training_keeps_the_training(owner, lab):
    training = make_training(owner, lab)
    potential = make_potential(owner, lab, training=training)
    potential_delete(potential=potential, actor=owner)
    assert Training.objects.filter(pk=training.pk).exists()


def test_a_failed_training_is_deleted_with_its_job_and_a_useful_one_stays(owner, lab, guest):
    failed, done = make_training(owner, lab, state=State.FAILED), make_training(owner, lab)
    make_potential(owner, lab, training=done)
    with pytest.raises(PermissionDenied):
        training_delete(training=failed, actor=guest)
    training_delete(training=failed, actor=owner)
    assert list(Training.objects.all()) == [done]
    assert list(Job.objects.all()) == [done.job]
    with pytest.raises(Refused, match="provenance"):
        training_delete(training=done, actor=owner)


def test_an_md_run_is_deleted_only_once_it_has_ended(owner, lab):
    running, done = make_simulation(owner, lab, state=State.RUNNING), make_simulation(owner, lab)
    with pytest.raises(Refused, match="cancel"):
        simulation_delete(simulation=running, actor=owner)
    simulation_delete(simulation=done, actor=owner)
    assert list(Simulation.objects.all()) == [running]
    assert list(Job.objects.all()) == [running.job]
