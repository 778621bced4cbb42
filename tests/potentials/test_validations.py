"""Validations: started by themselves or by a person, shown on the card, harmless when they fail."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from jobs.files import job_folder
from jobs.models import Job
from jobs.states import State
from labs.exceptions import PermissionDenied, Refused
from mlmd.runs import write_json_atomic
from mlmd.validation import CheckName, ValidationSettings, report_to_json
from mlmd.validation.dynamics import PLANNED, SIMULATED
from mlmd.validation.launching import PARTIAL_FILE
from mlmd.validation.phonons import LOWEST
from mlmd.validation.report import Check, CheckStatus, ValidationReport, Value
from potentials.families import Facts, Outcome
from potentials.models import Potential, Validation
from potentials.services.imports import PotentialFiles, potential_import
from potentials.services.potentials import (
    potential_create_from_training,
    potential_delete,
    potential_update,
)
from potentials.services.suggestions import suggestion_accept
from potentials.services.validations import (
    ValidationRequest,
    frames_of,
    validation_start,
)
from potentials.suggestions import suggestions_of
from potentials.validation_card import validation_card
from potentials.validation_reports import beside_teacher
from tests.potentials.factories import (
    labelled_frames,
    make_potential,
    make_report,
    make_training,
    make_validation,
    make_version,
    network,
    network_files,
)

pytestmark = pytest.mark.django_db

FEW = ValidationSettings(checks=(CheckName.PARITY, CheckName.CONSISTENCY))


def card(client, potential):
    return client.get(reverse("potentials:detail", args=[potential.public_id]))


def spoken_against(*checks: Check) -> ValidationReport:
    return replace(make_report(), checks=checks)


def phonons(lowest: float) -> Check:
    value = Value(LOWEST, lowest, "THz", subject="Si (Fd-3m)")
    return Check(CheckName.PHONONS, "Phonons", CheckStatus.DONE, values=(value,))


@pytest.mark.django_db(transaction=True)
def test_a_validation_runs_and_its_report_stands_on_the_card(
    owner, lab, cluster, finish, sign_in
) -> None:
    potential = make_potential(owner, lab)
    potential.versions.set([make_version(owner, lab)])
    started = validation_start(
        potential=potential, actor=owner, request=ValidationRequest(settings=FEW)
    )
    client = sign_in(owner)
    assert "Cancel validation" in card(client, potential).content.decode()
    job = finish(started.job)
    assert job.state == State.DONE, f"{job.reason}\n{job.log_tail}"
    report = Validation.objects.get().read_report()
    assert [check.name for check in report.checks] == list(FEW.checks)
    assert report.frames == 12
    text = card(client, potential).content.decode()
    assert "held against 12 frames" in text
    assert "Against the teacher data" in text
    assert "Validate again" in text


def test_the_card_shows_values_plots_tables_and_reasons(owner, lab, sign_in) -> None:
    potential = make_potential(owner, lab)
    make_validation(potential)
    client = sign_in(owner)
    page = card(client, potential)
    text = page.content.decode()
    for words in (
        "-2 (-2.0 %)",
        "near",
        "The forces are not finite.",
        "The slab would be too large.",
        "The fit is of third order.",
        "18.50",
    ):
        assert words in text, words
    (section,) = [s for s in page.context["validation"].sections if s.name == "volume"]
    figure = client.get(section.plots[0].url).json()
    assert [trace["name"] for trace in figure["data"]] == ["Potential", "Teacher data"]
    assert [trace["mode"] for trace in figure["data"]] == ["lines", "markers"]
    rows = list(csv.reader(io.StringIO(client.get(figure["csv"]).content.decode())))
    assert len(rows) == 11
    assert client.get(section.plots[0].url.replace("/0/", "/7/")).status_code == 404


def test_a_run_on_its_way_shows_the_checks_that_are_done(owner, lab, sign_in) -> None:
    potential = make_potential(owner, lab)
    make_validation(potential, make_report(bulk_modulus=91.0))
    running = make_validation(potential, state=State.RUNNING)
    folder = job_folder(running.job)
    folder.mkdir(parents=True)
    content = report_to_json(replace(make_report(), checks=(phonons(1.0),)))
    write_json_atomic(folder / PARTIAL_FILE, content)
    text = card(sign_in(owner), potential).content.decode()
    assert 'hx-select="#validation"' in text
    assert '<ul class="check-states">' in text
    assert "From an earlier validation" in text
    assert "91.00" in text


def test_a_failed_validation_leaves_potential_and_older_report(owner, lab, sign_in) -> None:
    potential = make_potential(owner, lab)
    make_validation(potential)
    failed = make_validation(potential, state=State.FAILED)
    Job.objects.filter(pk=failed.job.pk).update(reason="It ran out of memory.")
    text = card(sign_in(owner), potential).content.decode()
    assert "It ran out of memory." in text
    assert "The potential itself is as it was." in text
    assert "98.00" in text
    assert "Try again" in text


def test_what_our_engine_does_not_know_is_not_offered_to_be_checked(owner, lab) -> None:
    assert validation_card(make_potential(owner, lab)).is_possible
    assert not validation_card(make_potential(owner, lab, family="unheard-of")).is_possible


def test_a_report_of_another_form_is_explained(owner, lab, sign_in) -> None:
    potential = make_potential(owner, lab)
    validation = make_validation(potential)
    Validation.objects.filter(pk=validation.pk).update(report={"version": 99})
    assert "Validate again." in card(sign_in(owner), potential).content.decode()


def test_potentials_are_validated_when_they_come_in(owner, lab, settings) -> None:
    settings.MLMD_VALIDATE = True
    version = make_version(owner, lab)
    training = make_training(owner, lab, version=version)
    files = network_files(network())
    outcome = Outcome(files, Facts(("Si",), 5.0, "angstrom", "ev", 10), 1.0, 2.0, {}, ())
    trained = potential_create_from_training(training=training, outcome=outcome)
    assert list(trained.validations.get().versions.all()) == [version]
    asked = PotentialFiles("Elsewhere", network_files(network(seed=3)), judged_by=(version,))
    brought, _is_new = potential_import(owner=owner, lab=lab, potential=asked)
    assert list(brought.validations.get().versions.all()) == [version]
    assert brought.validations.get().job.visibility == "lab"


def test_a_limit_that_stops_the_validation_does_not_stop_the_potential(
    owner, lab, settings, monkeypatch
) -> None:
    settings.MLMD_VALIDATE = True

    def refuse(**_asked):
        raise Refused("The lab is at its limit.")

    monkeypatch.setattr("potentials.services.validations.job_create", refuse)
    asked = PotentialFiles("Elsewhere", network_files(network()))
    brought, is_new = potential_import(owner=owner, lab=lab, potential=asked)
    assert is_new
    assert not brought.validations.exists()


def test_only_one_at_a_time_and_only_by_whom_it_belongs_to(owner, lab, guest) -> None:
    potential = make_potential(owner, lab)
    with pytest.raises(PermissionDenied):
        validation_start(potential=potential, actor=guest, request=ValidationRequest())
    validation_start(potential=potential, actor=owner, request=ValidationRequest())
    with pytest.raises(Refused, match="on its way"):
        validation_start(potential=potential, actor=owner, request=ValidationRequest())
    with pytest.raises(Refused, match="cancel it first"):
        potential_delete(potential=potential, actor=owner)


def test_validations_go_and_hide_with_their_potential(owner, lab) -> None:
    potential = make_potential(owner, lab)
    job = make_validation(potential).job
    said = {"licence": "", "description": "", "not_for": ""}
    potential_update(potential=potential, actor=owner, name="Hidden", visibility="private", **said)
    job.refresh_from_db()
    assert job.visibility == "private"
    potential_delete(potential=potential, actor=owner)
    assert not Potential.objects.exists()
    assert not Job.objects.filter(pk=job.pk).exists()


@pytest.mark.parametrize(
    ("data", "potential_is", "run_is"),
    [
        ("public", "public", "public"),
        ("lab", "public", "lab"),
        ("private", "public", "private"),
        ("public", "private", "private"),
    ],
)
def test_a_run_with_frames_is_seen_by_those_who_may_see_the_data(
    owner, lab, stranger, sign_in, data, potential_is, run_is
) -> None:
    potential = make_potential(owner, lab, potential_is)
    asked = ValidationRequest(versions=(make_version(owner, lab, data),))
    job = validation_start(potential=potential, actor=owner, request=asked).job
    assert job.visibility == run_is
    said = {"licence": "", "description": "", "not_for": "", "name": "Shown"}
    potential_update(potential=potential, actor=owner, visibility="public", **said)
    job.refresh_from_db()
    assert job.visibility == data
    link = reverse("jobs:detail", args=[job.public_id])
    assert (link in card(sign_in(stranger), potential).content.decode()) is (data == "public")


def test_data_of_another_lab_keep_the_run_private(owner, lab, stranger) -> None:
    elsewhere = stranger.memberships.get().lab
    potential = make_potential(owner, lab, "lab")
    validation = make_validation(potential)
    validation.versions.set([make_version(stranger, elsewhere, "lab")])
    said = {"licence": "", "description": "", "not_for": "", "name": "Shown"}
    potential_update(potential=potential, actor=owner, visibility="lab", **said)
    validation.job.refresh_from_db()
    assert validation.job.visibility == "private"


def test_test_frames_are_preferred_and_their_number_is_bounded(owner, lab, monkeypatch) -> None:
    frames = labelled_frames(20)
    version = make_version(owner, lab, frames=frames)
    potential = make_potential(owner, lab)
    validation = make_validation(potential)
    assert list(frames_of(validation)) == []
    validation.versions.set([version])
    monkeypatch.setattr("potentials.services.validations.MOST_SMALL", 3)
    monkeypatch.setattr("potentials.services.validations.MOST_SPREAD", 4)
    assert 4 <= len(list(frames_of(validation))) <= 7
    tests = version.dataset.frames.order_by("pk")[:2]
    version.dataset.frames.filter(pk__in=[row.pk for row in tests]).update(split="test")
    assert len(list(frames_of(validation))) == 2


def test_the_form_starts_a_validation_with_the_chosen_settings(owner, lab, sign_in) -> None:
    potential, client = make_potential(owner, lab), sign_in(owner)
    url = reverse("potentials:validate", args=[potential.public_id])
    form = client.get(url).context["form"]
    values = {
        name: form[name].value() for name in form.fields if form[name].value() not in (None, False)
    }
    values |= {"checks": ["volume", "speed"], "set-volume_points": "9"}
    assert client.post(url, values | {"set-volume_points": "1"}).status_code == 422
    answer = client.post(url, values)
    assert answer.status_code == 302, answer.context["form"].errors
    stored = Validation.objects.get().settings
    assert (stored["checks"], stored["volume_points"]) == (["volume", "speed"], 9)


def test_imaginary_modes_and_a_cut_run_are_suggested(owner, lab) -> None:
    cut = Value(SIMULATED, 0.3, "ps", 2.0, "planned")
    dynamics = Check(
        CheckName.STABILITY, "Stable dynamics", CheckStatus.FAILED, "It exploded.", values=(cut,)
    )
    found = suggestions_of(spoken_against(phonons(-2.5), dynamics))
    assert [suggestion.key for suggestion in found] == ["phonons-1", "stability-1"]
    assert "2.50 THz" in found[0].why
    assert found[1].why == "It exploded."
    assert suggestions_of(spoken_against(phonons(-0.01))) == []


def test_a_suggestion_is_taken_over_by_one_click(owner, lab, guest, sign_in) -> None:
    potential = make_potential(owner, lab, not_for="Water")
    make_validation(potential, spoken_against(phonons(-2.5)))
    url = reverse("potentials:accept-suggestion", args=[potential.public_id])
    assert "speaks against" not in card(sign_in(guest), potential).content.decode()
    client = sign_in(owner)
    assert "speaks against" in card(client, potential).content.decode()
    client.post(url, {"key": "phonons-1"})
    potential.refresh_from_db()
    assert potential.not_for == "Water\nVibrations and low temperatures of Si (Fd-3m)."
    assert "speaks against" not in card(client, potential).content.decode()
    with pytest.raises(Refused):
        suggestion_accept(potential=potential, actor=owner, key="phonons-1")


def test_the_api_starts_reads_and_accepts(owner, lab) -> None:
    potential = make_potential(owner, lab)
    client = APIClient()
    client.force_authenticate(owner)
    url = reverse("api:potential-validation", args=[potential.public_id])
    assert client.get(url).json() == {
        "run": None,
        "reported_at": None,
        "settings": None,
        "report": None,
        "problem": "",
        "suggestions": [],
    }
    asked = {"settings": {"checks": ["speed"], "speed_atoms": 100}}
    answer = client.post(url, asked, format="json")
    assert answer.status_code == 201, answer.content
    assert answer.json()["run"]["state"] == "created"
    wrong = client.post(url, {"settings": {"checks": ["nonsense"]}}, format="json")
    assert wrong.status_code == 400
    assert "nonsense" in wrong.json()["detail"]
    Validation.objects.all().delete()
    make_validation(potential, spoken_against(phonons(-2.5)))
    found = client.get(url).json()
    assert found["report"]["checks"][0]["name"] == "phonons"
    accept = reverse("api:potential-suggestion", args=[potential.public_id])
    left = client.post(accept, {"key": found["suggestions"][0]["key"]}, format="json")
    assert left.json()["suggestions"] == []


def test_what_a_run_was_to_reach_is_not_the_teachers() -> None:
    planned = Value(SIMULATED, 2.0, "ps", 2.0, PLANNED)
    assert beside_teacher(planned).reference is None
    taught = Value("Lattice constant a", 5.41, "Å", 5.406, "teacher")
    assert beside_teacher(taught) is taught
