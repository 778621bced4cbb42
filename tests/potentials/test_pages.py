"""Pages: what they show, what they refuse, and what they cost."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.urls import reverse

from datasets.services.structures import structure_atoms
from jobs.files import job_folder
from jobs.models import Job
from jobs.states import State
from labs.models import Role
from mlmd.runs import write_json_atomic
from mlmd.structure import bulk_repeats
from potentials.models import Potential, Simulation, Training
from tests.jobs.factories import make_user
from tests.potentials.factories import (
    make_potential,
    make_simulation,
    make_structure,
    make_training,
    make_version,
)

pytestmark = pytest.mark.django_db


def form_values(page) -> dict[str, str]:
    """Return what a browser would send for the page's main form, untouched."""
    form = page.context["form"]
    values = {}
    for name in form.fields:
        value = form[name].value()
        if value is None or value is False:
            continue
        values[name] = str(getattr(value, "public_id", value))
    stages = page.context.get("stages")
    if stages is not None:
        for field in stages.management_form:
            values[field.html_name] = str(field.value())
    return values


def test_an_empty_catalog_says_what_to_do_next(owner, sign_in):
    page = sign_in(owner).get(reverse("potentials:list"))
    assert page.status_code == 200
    assert "No potentials yet" in page.content.decode()
    assert reverse("potentials:train") in page.content.decode()


def test_the_catalog_finds_by_elements_errors_and_names(owner, lab, sign_in):
    make_potential(owner, lab, name="Silicon good", force_rmse=80.0)
    make_potential(owner, lab, name="Silicon bad", force_rmse=300.0)
    make_potential(owner, lab, name="Silica", elements=("O", "Si"))
    client, url = sign_in(owner), reverse("potentials:list")

    def names(**query):
        page = client.get(url, query)
        return [row.name for row in page.context["page_obj"]]

    assert set(names(elements="si")) == {"Silicon good", "Silicon bad", "Silica"}
    assert set(names(elements="Si", only="1")) == {"Silicon good", "Silicon bad"}
    assert names(elements="O Si") == ["Silica"]
    assert names(force_rmse="100") == ["Silicon good"]
    assert names(q="bad") == ["Silicon bad"]
    assert names(sort="force_rmse") == ["Silicon good", "Silica", "Silicon bad"]
    assert names(sort="-force_rmse")[0] == "Silicon bad"


def test_a_wrong_element_in_the_filter_is_said_in_words(owner, lab, sign_in):
    make_potential(owner, lab)
    page = sign_in(owner).get(reverse("potentials:list"), {"elements": "Xx"})
    assert page.status_code == 200
    assert "no chemical symbol" in page.content.decode()


def test_the_number_of_queries_does_not_grow_with_the_catalog(
    owner, lab, sign_in, django_assert_max_num_queries
):
    for _ in range(12):
        make_potential(owner, lab)
    client = sign_in(owner)
    with django_assert_max_num_queries(12):
        client.get(reverse("potentials:list"))


def test_the_pages_of_one_object_ask_few_questions(
    owner, lab, sign_in, django_assert_max_num_queries
):
    training = make_training(owner, lab)
    potential = make_potential(owner, lab, training=training)
    simulation = make_simulation(owner, lab, potential=potential)
    client = sign_in(owner)
    for name, row in (
        ("potentials:detail", potential),
        ("potentials:training", training),
        ("potentials:simulation", simulation),
    ):
        with django_assert_max_num_queries(25):
            assert client.get(reverse(name, args=[row.public_id])).status_code == 200


def test_a_training_is_started_from_the_form(owner, lab, cluster, sign_in):
    version = make_version(owner, lab)
    client, url = sign_in(owner), reverse("potentials:train")
    values = form_values(client.get(url)) | {
        "versions": str(version.public_id),
        "name": "Silicon",
        "effort": "quick",
        "set-cutoff_radius": "5.5",
    }
    answer = client.post(url, values)
    assert answer.status_code == 302, answer.context["form"].errors
    training = Training.objects.get()
    assert answer.url == reverse("potentials:training", args=[training.public_id])
    assert training.settings["cutoff_radius"] == 5.5
    # Untouched, although the form shows fewer digits.
    assert training.settings["validation_fraction"] == 1 / 6
    assert training.settings["epochs"] < 60
    assert training.job.kind == "train"


def test_the_effort_decides_epochs_unless_they_are_filled_in(owner, lab, cluster, sign_in):
    version = make_version(owner, lab)
    client, url = sign_in(owner), reverse("potentials:train")
    values = form_values(client.get(url)) | {"versions": str(version.public_id), "name": "A"}
    client.post(url, values | {"effort": "thorough"})
    client.post(url, values | {"effort": "thorough", "set-epochs": "7"})
    second, first = Training.objects.order_by("-pk")
    assert first.settings["epochs"] > 60
    assert second.settings["epochs"] == 7


def test_a_refused_training_form_keeps_what_was_typed(owner, lab, cluster, sign_in):
    version = make_version(owner, lab)
    client, url = sign_in(owner), reverse("potentials:train")
    values = form_values(client.get(url)) | {
        "versions": str(version.public_id),
        "name": "Kept name",
        "set-hidden_nodes": "twenty",
    }
    page = client.post(url, values)
    text = page.content.decode()
    assert page.status_code == 422
    assert "Kept name" in text
    assert 'value="twenty"' in text
    assert "hidden_nodes" in text
    assert not Job.objects.exists()


def test_the_preview_says_in_one_sentence_what_will_happen(owner, lab, cluster, sign_in):
    version = make_version(owner, lab)
    client = sign_in(owner)
    values = form_values(client.get(reverse("potentials:train")))
    url = reverse("potentials:train-preview")
    assert "Choose at least one dataset version" in client.post(url, values).content.decode()
    text = client.post(url, values | {"versions": str(version.public_id)}).content.decode()
    assert "12 frames of Si, about" in text
    assert "Only 12 frames" in text


def test_automatic_functions_are_shown_as_lines_that_can_be_sent_back(owner, lab, cluster, sign_in):
    version = make_version(owner, lab)
    client = sign_in(owner)
    values = form_values(client.get(reverse("potentials:train"))) | {
        "versions": str(version.public_id)
    }
    answer = client.post(reverse("potentials:train-functions"), values)
    lines = answer.json()["lines"]
    assert len(lines.splitlines()) == 26
    changed = "\n".join(lines.splitlines()[:10])
    sent = values | {"name": "Mine", "set-symmetry_functions": changed}
    assert client.post(reverse("potentials:train"), sent).status_code == 302
    assert len(Training.objects.get().settings["symmetry_functions"].splitlines()) == 10


def test_a_clone_starts_with_the_settings_of_its_parent(owner, lab, cluster, sign_in):
    training = make_training(owner, lab)
    Training.objects.filter(pk=training.pk).update(
        settings=training.settings | {"cutoff_radius": 4.5}
    )
    url = f"{reverse('potentials:train')}?clone={training.public_id}"
    client = sign_in(owner)
    page = client.get(url)
    form = page.context["form"]
    assert form["set-cutoff_radius"].value() == 4.5
    assert form["versions"].value() == training.selection["versions"]
    values = form_values(page) | {"versions": training.selection["versions"]}
    assert client.post(url, values).status_code == 302
    clone = Training.objects.exclude(pk=training.pk).get()
    assert clone.parent == training
    assert clone.settings["cutoff_radius"] == 4.5


def test_an_md_run_is_started_from_the_form(owner, lab, cluster, sign_in):
    potential, structure = make_potential(owner, lab), make_structure(owner, lab)
    client, url = sign_in(owner), reverse("potentials:simulate")
    values = form_values(client.get(url)) | {
        "name": "Si at 300 K",
        "potential": str(potential.public_id),
        "structure": str(structure.public_id),
        "repeats": "2×2x2",
        "duration": "0.5",
        "time_step": "0.5",
    }
    answer = client.post(url, values)
    assert answer.status_code == 302, answer.context["form"].errors
    simulation = Simulation.objects.get()
    assert simulation.atom_count == 64
    (stage,) = simulation.settings["stages"]
    assert (stage["steps"], stage["temperature_start"]) == (1000, 300.0)


def test_stages_take_the_place_of_one_temperature(owner, lab, cluster, sign_in):
    potential, structure = make_potential(owner, lab), make_structure(owner, lab)
    client, url = sign_in(owner), reverse("potentials:simulate")
    values = form_values(client.get(url)) | {
        "name": "Melt",
        "potential": str(potential.public_id),
        "structure": str(structure.public_id),
        "stages-TOTAL_FORMS": "3",
        "stages-0-kind": "heat",
        "stages-0-ensemble": "nvt-langevin",
        "stages-0-temperature_start": "300",
        "stages-0-temperature_end": "2000",
        "stages-0-duration": "1",
        "stages-1-kind": "",
        "stages-2-kind": "quench",
        "stages-2-ensemble": "npt-full",
        "stages-2-temperature_start": "2000",
        "stages-2-temperature_end": "300",
        "stages-2-pressure": "1.5",
        "stages-2-stress": "0.5 0 0 0 0 0.1",
        "stages-2-duration": "2",
    }
    answer = client.post(url, values)
    assert answer.status_code == 302, answer.context["form"].errors
    stages = Simulation.objects.get().settings["stages"]
    assert [stage["kind"] for stage in stages] == ["heat", "quench"]
    assert [stage["steps"] for stage in stages] == [1000, 2000]
    assert stages[1]["pressure"] == 1.5
    assert stages[1]["stress"] == "0.5 0 0 0 0 0.1"
    # Two stages come back when the run is cloned.
    page = client.get(f"{url}?clone={Simulation.objects.get().public_id}")
    assert len(page.context["stages"].initial) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"repeats": "2 2"}, "Three whole numbers"),
        ({"temperature": "-5"}, "greater than or equal"),
        ({"time_step": "0"}, "greater than or equal"),
        ({"thermostat_time": "2"}, "at least five time steps"),
        ({"threads": "500"}, "cores"),
    ],
)
def test_wrong_md_settings_are_said_beside_the_form(owner, lab, cluster, sign_in, changes, words):
    potential, structure = make_potential(owner, lab), make_structure(owner, lab)
    client, url = sign_in(owner), reverse("potentials:simulate")
    values = form_values(client.get(url)) | {
        "name": "Wrong",
        "potential": str(potential.public_id),
        "structure": str(structure.public_id),
    }
    page = client.post(url, values | changes)
    assert page.status_code == 422
    assert words in page.content.decode()
    assert not Simulation.objects.exists()


def test_a_structure_with_unknown_elements_is_refused_beside_its_field(
    owner, lab, cluster, sign_in
):
    potential, structure = make_potential(owner, lab), make_structure(owner, lab, symbol="Ge")
    client, url = sign_in(owner), reverse("potentials:simulate")
    values = form_values(client.get(url)) | {
        "name": "Germanium",
        "potential": str(potential.public_id),
        "structure": str(structure.public_id),
    }
    page = client.post(url, values)
    assert "Ge" in page.context["form"].errors["structure"][0]


def test_the_md_preview_warns_of_few_atoms_and_counts_steps(owner, lab, cluster, sign_in):
    potential, structure = make_potential(owner, lab), make_structure(owner, lab)
    client = sign_in(owner)
    values = form_values(client.get(reverse("potentials:simulate"))) | {
        "potential": str(potential.public_id),
        "structure": str(structure.public_id),
        "repeats": "1 1 1",
    }
    text = client.post(reverse("potentials:simulate-preview"), values).content.decode()
    assert "8 atoms, 10000 steps of 1 fs (10 ps)" in text
    assert "8 atoms are few" in text


def test_a_running_page_asks_again_and_a_finished_one_does_not(owner, lab, sign_in):
    running = make_training(owner, lab, state=State.RUNNING)
    done = make_training(owner, lab)
    client = sign_in(owner)
    page = client.get(reverse("potentials:training", args=[running.public_id])).content.decode()
    assert 'hx-trigger="every 2s"' in page
    assert 'data-refresh="3"' in page
    page = client.get(reverse("potentials:training", args=[done.public_id])).content.decode()
    assert "hx-trigger" not in page
    assert "data-refresh" not in page


def test_a_page_that_watched_a_run_is_loaded_anew_when_the_run_is_final(owner, lab, sign_in):
    training = make_training(owner, lab, state=State.RUNNING)
    client, url = sign_in(owner), reverse("potentials:training", args=[training.public_id])
    assert "HX-Refresh" not in client.get(url, headers={"HX-Request": "true"})
    Job.objects.filter(pk=training.job_id).update(state=State.FAILED, reason="no convergence")
    answer = client.get(url, headers={"HX-Request": "true"})
    assert answer["HX-Refresh"] == "true"
    assert "no convergence" in answer.content.decode()


def test_a_learning_curve_has_both_parts_and_a_sentence(owner, lab, sign_in):
    training = make_training(owner, lab)
    url = reverse("potentials:training-curve", args=[training.public_id, "force"])
    figure = sign_in(owner).get(url).json()
    assert [trace["y"] for trace in figure["data"]] == [[800.0, 300.0], [820.0, 330.0]]
    assert "330 meV/Å after 1 epochs" in figure["alt"]
    table = b"".join(sign_in(owner).get(figure["csv"]).streaming_content)
    assert len(table.splitlines()) == 3


def test_extrapolation_is_said_with_atom_and_time(owner, lab, sign_in):
    simulation = make_simulation(owner, lab)
    folder = job_folder(simulation.job)
    folder.mkdir(parents=True)
    entry = {
        "atom": 4, "element": "Si", "function": 3, "first_step": 1000, "last_step": 3000,
        "count": 50, "worst": 1.5, "low": 0.0, "high": 1.0,
    }  # fmt: skip
    write_json_atomic(
        folder / "extrapolation.json",
        {"total": 50, "steps": 50, "first_step": 1000, "atoms": 1, "atom_indices": [4],
         "not_listed": 0, "entries": [entry]},
    )  # fmt: skip
    url = reverse("potentials:simulation", args=[simulation.public_id])
    text = sign_in(owner).get(url).content.decode()
    assert "1 atom left the range" in text
    assert "Si, atom 5: from 1 to 3 ps, in 50 steps, up to 50 % of the range beyond it." in text


@pytest.mark.parametrize("kind", ["potential", "training", "simulation"])
def test_people_of_other_labs_see_nothing(owner, lab, stranger, sign_in, kind):
    makers = {
        "potential": (make_potential, "potentials:detail"),
        "training": (make_training, "potentials:training"),
        "simulation": (make_simulation, "potentials:simulation"),
    }
    make, name = makers[kind]
    for visibility, status in (("lab", 404), ("private", 404), ("public", 200)):
        row = make(owner, lab, visibility)
        url = reverse(name, args=[row.public_id])
        assert sign_in(stranger).get(url).status_code == status
    assert sign_in(owner).get(reverse(name, args=[uuid4()])).status_code == 404


def test_guests_see_a_card_and_change_nothing(owner, lab, guest, sign_in):
    potential = make_potential(owner, lab)
    client = sign_in(guest)
    page = client.get(reverse("potentials:detail", args=[potential.public_id]))
    assert page.status_code == 200
    assert "Edit card" not in page.content.decode()
    assert "Delete potential" not in page.content.decode()
    for name in ("potentials:edit", "potentials:delete", "potentials:visibility"):
        answer = client.post(reverse(name, args=[potential.public_id]), {"visibility": "public"})
        assert answer.status_code == 403
    assert Potential.objects.get().visibility == "lab"


def test_a_manager_edits_the_card_of_a_member(owner, lab, sign_in):
    potential = make_potential(owner, lab)
    client = sign_in(make_user(lab, Role.MANAGER))
    url = reverse("potentials:edit", args=[potential.public_id])
    said = {
        "name": "Renamed",
        "description": "For solids.",
        "not_for": "liquids",
        "licence": "CC-BY-4.0",
        "visibility": "public",
    }
    assert client.post(url, said).status_code == 302
    page = client.get(reverse("potentials:detail", args=[potential.public_id])).content.decode()
    assert "Renamed" in page
    assert "liquids" in page
    answer = client.post(url, said | {"licence": "my own"})
    assert answer.status_code == 422
    assert Potential.objects.get().licence == "CC-BY-4.0"


def test_names_are_escaped_and_files_get_plain_names(owner, lab, sign_in):
    potential = make_potential(owner, lab, name='<script>alert("x")</script> ../シリコン')
    client = sign_in(owner)
    page = client.get(reverse("potentials:detail", args=[potential.public_id])).content.decode()
    assert "<script>alert" not in page
    answer = client.get(reverse("potentials:archive", args=[potential.public_id]))
    name = re.search(r'filename="([^"]+)"', answer["Content-Disposition"]).group(1)
    assert re.fullmatch(r"[a-z0-9_-]+-v1\.zip", name)


def test_no_file_outside_of_the_potential_can_be_asked_for(owner, lab, sign_in):
    potential = make_potential(owner, lab)
    client = sign_in(owner)
    good = client.get(reverse("potentials:file", args=[potential.public_id, "input.nn"]))
    assert good.content.startswith(b"#") or b"elements" in good.content
    bad = f"/potentials/{potential.public_id}/files/..%2F..%2Fsettings.py"
    assert client.get(bad).status_code == 404


def test_the_forms_begin_with_what_is_there_and_name_what_has_no_name(owner, lab, sign_in):
    version, structure = make_version(owner, lab), make_structure(owner, lab)
    potential = make_potential(owner, lab)
    client = sign_in(owner)
    page = client.get(reverse("potentials:train"))
    assert page.context["form"]["versions"].value() == [version.public_id]
    values = form_values(page) | {"versions": [str(version.public_id)]}
    assert client.post(reverse("potentials:train"), values).status_code == 302
    assert Training.objects.get().name == str(version.dataset)
    page = client.get(reverse("potentials:simulate"))
    assert page.context["form"]["potential"].value() == potential.public_id
    assert client.post(reverse("potentials:simulate"), form_values(page)).status_code == 302
    simulation = Simulation.objects.get()
    assert simulation.name == f"{structure.name}, 300 K"
    assert simulation.repeats == list(bulk_repeats(structure_atoms(structure)))
