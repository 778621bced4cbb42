"""Scripts before the start, several runs at once, and MD that goes on from its checkpoint."""

from __future__ import annotations

import pytest
from django.urls import reverse

from datasets.selections import Selection
from jobs.continuing import job_continue, may_continue
from jobs.files import job_folder
from jobs.models import Batch, Job
from jobs.states import State
from labs.exceptions import Refused
from mlmd.hdnnp.training import TrainingSettings
from mlmd.md import MDSettings, Stage
from mlmd.md.launching import run_directory
from mlmd.runs import Stopped, StopRequest
from mlmd.trajectory import TrajectoryReader
from potentials.models import Simulation, Training
from potentials.services.batches import at_temperature, trainings_start
from potentials.services.simulations import simulation_prepare
from potentials.services.trainings import TrainingRequest, training_prepare
from tests.potentials.factories import (
    make_potential,
    make_structure,
    make_training,
    make_version,
    short_settings,
)
from tests.potentials.test_pages import form_values
from tests.potentials.test_whole_path import start_simulation

pytestmark = pytest.mark.django_db


@pytest.fixture
def train_form(owner, lab, cluster, sign_in):
    version = make_version(owner, lab)
    client = sign_in(owner)
    values = form_values(client.get(reverse("potentials:train")))
    return client, values | {"versions": str(version.public_id), "name": "Seeds"}


@pytest.fixture
def md_form(owner, lab, cluster, sign_in):
    potential, structure = make_potential(owner, lab), make_structure(owner, lab)
    client = sign_in(owner)
    values = form_values(client.get(reverse("potentials:simulate")))
    return client, values | {
        "potential": str(potential.public_id),
        "structure": str(structure.public_id),
        "repeats": "2 2 2",
    }


@pytest.mark.parametrize(("form", "name"), [("train_form", "train"), ("md_form", "simulate")])
def test_the_script_is_shown_before_the_button_is_pressed(request, form, name):
    client, values = request.getfixturevalue(form)
    address = reverse(f"potentials:{name}-preview")
    text = client.post(address, values | {"threads": "2"}).text
    assert "Script that will be handed over" in text
    assert "-m mlmd" in text
    assert "export OMP_NUM_THREADS=2" in text
    assert "2 cores" in text
    assert not Job.objects.exists()


def test_an_expert_says_what_to_ask_of_the_cluster(train_form, cluster):
    cluster.queues = [{"name": "short", "hours": 1}, {"name": "long", "hours": 24}]
    cluster.save()
    client, values = train_form
    asked = {"hours": "2", "memory": "3", "continuations": "4"}
    text = client.post(reverse("potentials:train-preview"), values | asked).text
    assert "queue long" in text
    assert "at most 2 h" in text
    wrong = client.post(reverse("potentials:train-preview"), values | asked | {"queue": "short"})
    assert "Needs another look: Queue" in wrong.text
    client.post(reverse("potentials:train"), values | asked)
    job = Job.objects.get()
    assert job.resources["walltime_s"] == 7200
    assert job.resources["memory_mb"] == 3072
    assert job.continuations == 4


def test_what_was_asked_survives_the_preparation(train_form, tmp_path):
    client, values = train_form
    client.post(reverse("potentials:train"), values | {"hours": "2"})
    training = Training.objects.get()
    launch = training_prepare(training=training, folder=tmp_path)
    assert launch.resources.walltime_s == 7200
    assert launch.resources.memory_mb > 0


def test_several_seeds_start_together(train_form):
    client, values = train_form
    answer = client.post(reverse("potentials:train"), values | {"runs": "3"})
    batch = Batch.objects.get()
    assert answer.url == reverse("jobs:batch", args=[batch.public_id])
    seeds = [row.settings["seed"] for row in Training.objects.order_by("pk")]
    assert seeds == [seeds[0], seeds[0] + 1, seeds[0] + 2]
    assert batch.jobs.count() == 3
    assert batch.title == "Seeds, 3 seeds"


def test_several_temperatures_start_together(md_form):
    client, values = md_form
    client.post(reverse("potentials:simulate"), values | {"temperatures": "600, 900"})
    runs = list(Simulation.objects.order_by("pk"))
    assert [row.settings["stages"][0]["temperature_start"] for row in runs] == [300, 600, 900]
    assert [row.name.split(", ")[1] for row in runs] == ["300 K", "600 K", "900 K"]
    assert Batch.objects.get().jobs.count() == 3


def test_temperatures_that_are_none_are_said_at_the_field(md_form):
    client, values = md_form
    page = client.post(reverse("potentials:simulate"), values | {"temperatures": "hot"})
    assert page.status_code == 422
    assert "such as 600 900" in page.text
    assert not Job.objects.exists()


def test_the_api_previews_and_starts_batches(md_form, train_form):
    client, values = md_form
    body = {
        "name": "Hot",
        "potential": values["potential"],
        "structure": values["structure"],
        "settings": {"stages": [{"steps": 10, "temperature_start": 300}]},
        "resources": {"walltime_s": 90},
    }
    json = "application/json"
    shown = client.post("/api/v1/simulations/preview/", body, json).json()
    assert "mlmd md --run-dir ." in shown["script"]
    assert "at most 1 min 30 s" in shown["sentence"]
    both = body | {"temperatures": [400, 500]}
    made = client.post("/api/v1/simulations/batch/", both, json).json()
    assert made["counts"] == {"created": 2}
    assert {job.resources["walltime_s"] for job in Job.objects.all()} == {90}
    seeds = {"name": "S", "versions": [train_form[1]["versions"]], "effort": "quick", "runs": 2}
    assert client.post("/api/v1/trainings/batch/", seeds, json).json()["total"] == 2
    shown = client.post("/api/v1/trainings/preview/", seeds, json).json()
    assert "mlmd train --run-dir ." in shown["script"]
    same = body | {"temperatures": [400, 400]}
    assert client.post("/api/v1/simulations/batch/", same, json).status_code == 400


def test_a_batch_is_whole_or_not_there(owner, lab, cluster):
    version = make_version(owner, lab)
    asked = TrainingRequest(
        "S", Selection((version.public_id,)), "hdnnp", "quick", TrainingSettings(), cluster
    )
    for runs in (1, 10_000):
        with pytest.raises(Refused, match="2 to"):
            trainings_start(owner=owner, lab=lab, request=asked, runs=runs)
    assert not Batch.objects.exists()


def test_stages_that_heat_have_no_other_temperature():
    two = MDSettings(stages=(Stage(steps=1), Stage(steps=1)))
    with pytest.raises(Refused, match="one stage"):
        at_temperature(two, 300)
    assert at_temperature(short_settings(), 500).stages[0].temperature_start == 500


def test_the_page_of_a_stopped_training_offers_to_go_on(owner, lab, cluster, sign_in):
    training = make_training(owner, lab, state=State.FAILED)
    client = sign_in(owner)
    address = reverse("potentials:training", args=[training.public_id])
    assert "Continue run" not in client.get(address).text
    folder = job_folder(training.job)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoint.npz").write_bytes(b"PK")
    assert "Continue run" in client.get(address).text
    client.post(reverse("jobs:continue", args=[training.job.public_id]))
    training.job.refresh_from_db()
    assert (training.job.state, training.job.continued_from) == (State.CREATED, 1)


class StopAfter(StopRequest):
    """Asks a run to stop after so many steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    @property
    def requested(self) -> bool:
        self.steps -= 1
        if self.steps < 0:
            self.request()
        return super().requested


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_an_md_run_goes_on_from_its_checkpoint(owner, lab, cluster, finish):
    simulation = start_simulation(owner, lab, cluster)
    job, folder = simulation.job, job_folder(simulation.job)
    folder.mkdir(parents=True)
    simulation_prepare(simulation=simulation, folder=folder)
    with pytest.raises(Stopped):
        run_directory(folder, stop=StopAfter(70))
    Job.objects.filter(pk=job.pk).update(state=State.FAILED, exit_cause="time")
    job.refresh_from_db()
    assert may_continue(job)
    job_continue(job=job, actor=owner, walltime_s=300)
    job = finish(job)
    assert job.state == State.DONE, job.reason + job.log_tail
    simulation.refresh_from_db()
    assert simulation.result["steps"] == 200
    every = short_settings().trajectory_every
    assert len(TrajectoryReader(folder / "trajectory.mtj")) == 200 // every + 1
    steps = [line.split(",")[0] for line in (folder / "thermo.csv").read_text().splitlines()[1:]]
    assert steps == [str(step) for step in range(0, 201, short_settings().sample_every)]
