"""A run handed on: the zip that runs again by hand, and looking at files."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from pathlib import Path

import pytest
from django.urls import reverse

from jobs.files import inputs_of, job_folder
from jobs.models import Job
from jobs.services import job_create
from jobs.states import State
from tests.jobs.factories import KIND, make_job, make_user

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@pytest.fixture
def done(owner, lab, cluster, until) -> Job:
    job = job_create(owner=owner, lab=lab, kind=KIND, title="Hand it on", spec={"answer": 42})
    return until(job, State.DONE)


@pytest.fixture
def page(client, owner):
    client.force_login(owner)
    return client


def unpacked(answer, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(b"".join(answer))) as archive:
        assert archive.testzip() is None
        archive.extractall(folder)
    (inside,) = folder.iterdir()
    return inside


def test_a_bundle_is_checked_and_runs_again_by_hand(page, done, tmp_path):
    answer = page.get(reverse("jobs:bundle", args=[done.public_id]))
    folder = unpacked(answer, tmp_path / "bundle")
    check = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
    assert subprocess.run(check, cwd=folder, capture_output=True, check=False).returncode == 0
    assert not (folder / "result.json").exists()
    ran = subprocess.run(["bash", "job.sh"], cwd=tmp_path, capture_output=True, check=False)
    assert ran.returncode != 0
    ran = subprocess.run(["bash", "bundle/" + folder.name + "/job.sh"], cwd=tmp_path, check=False)
    assert ran.returncode == 0
    first = json.loads((job_folder(done) / "result.json").read_text())
    assert json.loads((folder / "result.json").read_text()) == first
    assert json.loads((folder / "exit.json").read_text())["cause"] == "ok"


def test_a_bundle_says_what_it_is(page, done, tmp_path):
    answer = page.get(f"/api/v1/jobs/{done.public_id}/bundle.zip?outputs=1")
    folder = unpacked(answer, tmp_path / "bundle")
    about = json.loads((folder / "run.json").read_text())
    assert about["spec"] == {"answer": 42}
    assert about["inputs"] == inputs_of(done)
    assert set(about["inputs"]) == {"spec.json", "count.py", "input/data.txt"}
    assert about["versions"]["mlmd"]
    assert about["cluster"]["codes"]["python"]["command"]
    readme = (folder / "README.md").read_text()
    assert "Hand it on" in readme
    assert "sha256sum -c SHA256SUMS" in readme
    assert (folder / "outputs" / "result.json").is_file()
    assert (folder / "job.as-run.sh").read_text() == (job_folder(done) / "job.sh").read_text()


def test_an_input_that_the_run_changed_is_named_and_left_out(page, done, tmp_path):
    (job_folder(done) / "spec.json").write_text("{}")
    folder = unpacked(page.get(reverse("jobs:bundle", args=[done.public_id])), tmp_path / "b")
    assert not (folder / "spec.json").exists()
    assert "spec.json" in (folder / "README.md").read_text().split("What is missing")[1]


def test_lines_for_the_scheduler_are_left_out_by_hand():
    from jobs.bundle import by_hand

    script = "#!/bin/sh\n#SBATCH --chdir=/far/away\n# kept\ncd '/far/away' || exit 97\ncd x\n"
    assert by_hand(script) == '#!/bin/sh\n# kept\ncd "$(dirname "$0")" || exit 97\ncd x\n'


def test_before_the_script_there_is_no_bundle(page, owner, lab, cluster):
    job = make_job(owner, lab)
    answer = page.get(reverse("jobs:bundle", args=[job.public_id]), follow=True)
    assert "has no script yet" in answer.text
    assert page.get(f"/api/v1/jobs/{job.public_id}/bundle.zip").status_code == 400


def test_strangers_get_no_bundle(client, done):
    Job.objects.update(visibility="private")
    client.force_login(make_user(done.lab))
    assert client.get(reverse("jobs:bundle", args=[done.public_id])).status_code == 404


@pytest.fixture
def files(owner, lab, cluster) -> Job:
    job = make_job(owner, lab)
    folder = job_folder(job)
    folder.mkdir(parents=True)
    (folder / "note.txt").write_text("<script>alert(1)</script>\n")
    (folder / "curve.csv").write_text(
        "epoch,error\n" + "".join(f"{k},{k / 7}\n" for k in range(300))
    )
    (folder / "picture.png").write_bytes(PIXEL)
    (folder / "page.png").write_text("<script>alert(1)</script>")
    (folder / "state.npz").write_bytes(b"PK\x03\x04\0\0")
    (folder / "long.log").write_text("begin\n" + "x\n" * 200_000 + "the end\n")
    return job


@pytest.mark.parametrize(
    ("name", "look", "words"),
    [
        ("note.txt", "text", "&lt;script&gt;"),
        ("curve.csv", "table", "first 200 rows"),
        ("picture.png", "picture", "<img"),
        ("page.png", "text", "&lt;script&gt;"),
        ("state.npz", "none", "Nothing to look at"),
        ("long.log", "text", "the end"),
    ],
)
def test_files_are_shown_by_what_they_hold(page, files, name, look, words):
    answer = page.get(reverse("jobs:file-view", args=[files.public_id, name]))
    assert answer.context["preview"].look == look
    assert words in answer.text
    assert len(answer.content) < 700_000


def test_a_picture_is_sent_as_one_and_nothing_else_is(page, files):
    answer = page.get(reverse("jobs:picture", args=[files.public_id, "picture.png"]))
    assert answer["Content-Type"] == "image/png"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert b"".join(answer) == PIXEL
    for name in ("page.png", "note.txt", "nothing.png", "../secret"):
        path = reverse("jobs:picture", args=[files.public_id, name])
        assert page.get(path).status_code == 404


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Resources, expected start 2026-11-22 12:00:00", "It is next"),
        ("Priority", "Others are before it"),
        ("ReqNodeNotAvail, UnavailableNodes:c01", "down or reserved"),
        ("Not Running: Insufficient amount of resource: ncpus", "Insufficient amount"),
    ],
)
def test_a_waiting_run_says_why_in_words(page, owner, lab, cluster, reason, words):
    job = make_job(owner, lab, state=State.SUBMITTED, queue_reason=reason)
    answer = page.get(reverse("jobs:detail", args=[job.public_id]))
    assert words in answer.text
    assert reason.split(",")[0] in answer.text


def test_a_waiting_run_says_its_place(page, owner, lab, cluster):
    jobs = [make_job(owner, lab, state=State.STAGED) for _ in range(3)]
    texts = [page.get(reverse("jobs:detail", args=[job.public_id])).text for job in jobs]
    assert "the next to start" in texts[0]
    assert "2 runs of the portal wait before it" in texts[2]
