"""From a committee's disagreement along an MD run to the form that computes what it doesn't know."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from datasets.models import Structure, StructureSet
from datasets.services.structures import structure_atoms
from jobs.files import job_folder
from jobs.states import State
from labs.exceptions import Refused
from mlmd.errors import InvalidInput
from mlmd.hdnnp.committee import load_members
from mlmd.hdnnp.files import save_potential
from mlmd.md.candidates import Candidates, Levels, Measure, levels_of
from potentials.cards import archive_of
from potentials.committees import (
    ARCHIVE,
    committee_archive,
    committee_folder,
    committee_of,
    own_files,
)
from potentials.disagreement import candidate_words
from potentials.engines import OWN
from potentials.models import Potential
from potentials.services.candidates import candidates_save
from potentials.services.potentials import store_files
from potentials.services.simulations import simulation_start
from potentials.unpacking import unpack
from tests.potentials.factories import (
    make_potential,
    make_simulation,
    make_structure,
    network,
    short_settings,
)
from tests.potentials.test_services import simulation_request

pytestmark = pytest.mark.django_db
# Weak random networks hardly push at all; whatever they disagree on is a candidate.
LEVELS = {"candidate_lower": 1e-9, "candidate_upper": 1e6}
FORM = {
    "repeats": "1 1 1",
    "ensemble": "nvt-bussi",
    "temperature": "300",
    "duration": "0.01",
    "threads": "1",
    "visibility": "lab",
    "stages-TOTAL_FORMS": "0",
    "stages-INITIAL_FORMS": "0",
}


@pytest.fixture
def fit(tmp_path):
    """What a training of three potentials leaves."""
    folder = tmp_path / "fit"
    for number in (1, 2, 3):
        save_potential(network(seed=number - 1), folder / f"potential-{number}")
    committee = {"version": 1, "members": 3, "held_out": True, "frames": []}
    committee |= {"energy_spread": 1.0, "force_spread": 8.0}
    (folder / "committee.json").write_text(json.dumps(committee))
    return folder


@pytest.fixture
def potential(owner, lab, fit):
    """A potential with its committee."""
    made = make_potential(owner, lab)
    store_files(made, {ARCHIVE: committee_archive(fit)})
    return made


@pytest.fixture
def crystal(owner, lab):
    return make_structure(owner, lab)


@pytest.fixture
def run(owner, lab, cluster, potential, crystal, finish):
    """An MD run that has put frames aside."""
    settings = replace(short_settings(), candidates=3, **LEVELS)
    asked = simulation_request(potential, crystal, cluster, settings=settings)
    row = simulation_start(owner=owner, lab=lab, request=asked)
    job = finish(row.job)
    assert job.state == State.DONE, job.reason
    row.refresh_from_db()
    return row


def test_a_committee_is_kept_in_one_archive(fit, potential):
    content = committee_of(potential)
    assert "committee/potential-3/input.nn" in zipfile.ZipFile(io.BytesIO(content)).namelist()
    with committee_folder(content) as folder:
        assert len(load_members(folder)) == 3
        assert levels_of(short_settings(), fit).lower == 16.0
        kept = (Path(folder) / "committee.json").read_bytes()
    assert kept == (fit / "committee.json").read_bytes()
    assert ARCHIVE not in own_files(potential)
    (fit / "committee.json").unlink()
    assert committee_archive(fit) is None


def test_names_that_lead_elsewhere_are_not_unpacked():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("../evil", "committee/../evil", "committee/potential-1/../../evil", "/evil"):
            archive.writestr(name, "x")
        archive.writestr("committee/potential-1/input.nn", "x")
    with committee_folder(stream.getvalue()) as folder:
        assert [path.name for path in Path(folder).glob("**/*")] == [
            "potential-1",
            "input.nn",
        ]


def test_the_download_with_a_committee_can_be_brought_again(potential):
    name, content = archive_of(potential, "")
    assert any(entry.endswith(ARCHIVE) for entry in zipfile.ZipFile(io.BytesIO(content)).namelist())
    found = unpack([SimpleUploadedFile(name, content)])
    assert found.files == own_files(potential)
    assert not found.refused


def test_the_loop_closes(run, sign_in, owner, client):
    """MD → what the committee doesn't agree on → structures → the form of DFT with them in it."""
    sign_in(owner)
    address = reverse("potentials:simulation", args=[run.public_id])
    page = client.get(address).content.decode()
    # The perfect crystal that the run begins with pulls at no atom.
    assert "In 4 of 5 stored frames" in page
    assert "3 frames put aside" in page
    assert "Compute these with DFT" in page
    figure = client.get(f"{address}plots/disagreement/").json()
    assert len(figure["data"]) == 3
    assert "meV/Å" in figure["alt"]
    for name, start in (("disagreement", b"step,time_ps"), ("candidates", b"8\n")):
        answer = client.get(reverse("potentials:simulation-file", args=[run.public_id, name]))
        assert b"".join(answer.streaming_content).startswith(start)
    view = client.get(reverse("potentials:candidates-view", args=[run.public_id])).json()
    assert view["frames"] == 3
    answer = client.post(reverse("potentials:candidates", args=[run.public_id]))
    made = StructureSet.objects.get()
    assert answer.url == f"{reverse('datasets:dft-new')}?set={made.public_id}"
    assert made.size == 3
    assert (made.lab, made.owner, made.parent) == (run.lab, owner, run.structure)
    form = client.get(answer.url)
    assert form.context["form"].initial["structure_set"] == str(made.public_id)
    assert made.name in form.content.decode()
    steps = {member.name for member in Structure.objects.filter(member_of=made)}
    assert steps == {f"step {c['step']}, {c['time_ps']:.4g} ps" for c in summary(run)["chosen"]}
    assert {len(structure_atoms(member)) for member in made.members.all()} == {8}
    # Once more: the same set.
    assert client.post(reverse("potentials:candidates", args=[run.public_id])).url == answer.url


def summary(run):
    return json.loads((job_folder(run.job) / "candidates.json").read_text())


def test_the_loop_by_api(run, sign_in, owner, client):
    sign_in(owner)
    base = f"/api/v1/simulations/{run.public_id}"
    assert client.get(f"{base}/candidates/").json() == {
        key: value for key, value in summary(run).items() if key != "version"
    }
    text = b"".join(client.get(f"{base}/candidates.extxyz/").streaming_content)
    assert text.count(b"Lattice=") == 3
    table = b"".join(client.get(f"{base}/disagreement/").streaming_content)
    assert len(table.splitlines()) == 6
    answer = client.post(f"{base}/candidates/")
    assert answer.status_code == 201
    assert answer.json()["size"] == 3
    body = client.get(f"/api/v1/structure-sets/{answer.json()['id']}/")
    assert body.status_code == 200


def test_who_may_keep_candidates(run, guest, stranger, sign_in, client):
    with pytest.raises(PermissionDenied):
        candidates_save(simulation=run, actor=guest)
    sign_in(guest)
    address = reverse("potentials:candidates", args=[run.public_id])
    assert client.post(address).status_code == 403
    page = client.get(reverse("potentials:simulation", args=[run.public_id])).content.decode()
    assert "3 frames put aside" in page
    assert "Compute these with DFT" not in page
    sign_in(stranger)
    assert client.post(address).status_code == 404
    assert not StructureSet.objects.exists()


def test_nothing_put_aside_is_said(owner, lab, sign_in, client):
    row = make_simulation(owner, lab)
    with pytest.raises(Refused, match="no frames aside"):
        candidates_save(simulation=row, actor=owner)
    sign_in(owner)
    answer = client.post(reverse("potentials:candidates", args=[row.public_id]), follow=True)
    assert "no frames aside" in answer.content.decode()
    page = client.get(reverse("potentials:simulation", args=[row.public_id])).content.decode()
    assert "Candidates for DFT" not in page


def test_a_limit_stops_the_run_and_leaves_its_candidates(
    owner, lab, cluster, potential, crystal, finish, sign_in, client
):
    settings = replace(short_settings(), disagreement_limit=1e-3, **LEVELS)
    asked = simulation_request(potential, crystal, cluster, settings=settings)
    row = simulation_start(owner=owner, lab=lab, request=asked)
    job = finish(row.job)
    assert job.state == State.FAILED
    sign_in(owner)
    page = client.get(reverse("potentials:simulation", args=[row.public_id])).content.decode()
    assert "the committee disagrees by" in page
    assert "Compute these with DFT" in page
    assert candidates_save(simulation=row, actor=owner).size >= 1


def test_what_is_said_of_other_outcomes():
    levels = Levels(10.0, 50.0)
    agreed = Candidates(Measure.FORCE_SPREAD, levels, 9, 9, 0, 0, ())
    assert candidate_words(agreed).startswith(
        "The committee agrees on all 9 stored frames to within"
    )
    far = Candidates(Measure.FORCE_SPREAD, levels, 9, 1, 0, 8, ())
    assert "8 lie beyond" in candidate_words(far)
    unknown = Candidates(Measure.FORCE_SPREAD, None, 9, 9, 0, 0, ())
    assert "Candidates from" in candidate_words(unknown)
    outside = Candidates(Measure.OUTSIDE, None, 9, 2, 7, 0, ())
    assert candidate_words(outside).startswith("7 of 9 stored frames have atoms outside")


def test_a_further_attempt_takes_the_tables_along():
    wanted = {"disagreement.csv", "outside.csv", "candidates.json", "candidates.extxyz"}
    assert wanted <= set(OWN.checkpoint)


def test_a_limit_needs_a_committee(owner, lab, cluster, potential, crystal):
    settings = replace(short_settings(), disagreement_limit=100.0)
    alone = make_potential(owner, lab)
    for changes in (
        {"potential": alone, "settings": settings},
        {"settings": replace(settings, watch_committee=False)},
        {"engine": "lammps"},
    ):
        values = {"potential": potential, "settings": settings} | changes
        asked = simulation_request(
            values.pop("potential"),
            crystal,
            cluster,
            **values,
        )
        with pytest.raises(Refused):
            simulation_start(owner=owner, lab=lab, request=asked)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fixed_atoms": "0-8"}, "atoms from 0 to 7"),
        ({"fixed_elements": "Pt"}, "one of Si"),
        ({"rigid_bonds": "O-H 0.96"}, "O"),
    ],
)
def test_what_does_not_fit_the_structure_is_refused_at_once(
    owner, lab, cluster, potential, crystal, sign_in, client, changes, words
):
    asked = simulation_request(
        potential, crystal, cluster, settings=replace(short_settings(), **changes)
    )
    with pytest.raises(InvalidInput, match=words):
        simulation_start(owner=owner, lab=lab, request=asked)
    sign_in(owner)
    (name,) = changes
    form = (
        FORM
        | changes
        | {
            "potential": str(potential.public_id),
            "structure": str(crystal.public_id),
            "cluster": str(cluster.public_id),
        }
    )
    defaults = client.get(reverse("potentials:simulate")).context["form"]
    values = {n: f.initial for n, f in defaults.fields.items() if f.initial not in (None, "")}
    answer = client.post(reverse("potentials:simulate"), values | form)
    assert answer.status_code == 422
    assert words in " ".join(answer.context["form"].errors[name])
    preview = client.post(reverse("potentials:simulate-preview"), values | form)
    assert words in preview.content.decode()
    body = {
        "name": "x",
        "potential": str(potential.public_id),
        "structure": str(crystal.public_id),
        "settings": {"stages": [{"steps": 10}], **changes},
    }
    answer = client.post("/api/v1/simulations/", body, content_type="application/json")
    assert answer.status_code == 400
    assert words in json.dumps(answer.json(), ensure_ascii=False)


def test_the_page_says_how_many_bonds_are_rigid(
    owner, lab, cluster, potential, crystal, sign_in, client
):
    settings = replace(short_settings(), fixed_atoms="0-3", rigid_bonds="")
    row = simulation_start(
        owner=owner,
        lab=lab,
        request=simulation_request(potential, crystal, cluster, settings=settings),
    )
    row.job.spec["rigid_bonds"] = 12
    row.job.save()
    sign_in(owner)
    page = client.get(reverse("potentials:simulation", args=[row.public_id])).content.decode()
    assert re.search(r"Rigid bonds.{0,200}12", page, re.S)


def test_the_form_asks_where_there_is_a_committee(owner, lab, crystal, sign_in, client, fit):
    alone = make_potential(owner, lab)
    sign_in(owner)
    form = client.get(reverse("potentials:simulate")).context["form"]
    assert form.fields["watch_committee"].widget.attrs["data-potentials"] == ""
    store_files(alone, {ARCHIVE: committee_archive(fit)})
    form = client.get(reverse("potentials:simulate")).context["form"]
    attrs = form.fields["watch_committee"].widget.attrs
    assert attrs["data-potentials"] == str(alone.public_id)
    assert "data-expert" not in attrs
    assert form.fields["watch_committee"].initial is True
    page = client.get(reverse("potentials:detail", args=[alone.public_id])).content.decode()
    assert ARCHIVE in page
    assert Potential.objects.get().files.get(name=ARCHIVE).size > 1000
