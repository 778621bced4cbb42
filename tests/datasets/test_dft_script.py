"""The script of a DFT run before it is started, and what experts ask of the cluster."""

from __future__ import annotations

from datasets.dft.services import dft_prepare
from jobs.models import Job
from tests.datasets.factories import make_structure
from tests.datasets.test_dft import cluster, pseudopotentials  # noqa: F401 - fixtures

JSON = "application/json"


def body_of(owner, lab, **more: object) -> dict[str, object]:
    structures = [str(make_structure(owner, lab).public_id) for _ in range(2)]
    return {"structures": structures, "protocol": "fast", **more}


def test_the_script_and_the_queue_are_shown_before_the_start(page, owner, lab, cluster) -> None:  # noqa: F811
    cluster.queues = [{"name": "small", "nodes": 1}, {"name": "large", "nodes": 8}]
    cluster.recipes = {"pw.x": {"argv": ["/opt/qe/bin/pw.x"], "setup": ["module load qe/7"]}}
    cluster.save()
    resources = {"nodes": 2, "threads": 3, "memory_mb": 2048}
    body = body_of(owner, lab, processes=4, resources=resources)
    shown = page.post("/api/v1/dft/preview/", body, JSON).json()
    assert shown["queue"] == "large"
    assert "module load qe/7" in shown["script"]
    assert shown["script"].count("/opt/qe/bin/pw.x") >= 2
    assert "export OMP_NUM_THREADS=3" in shown["script"]
    assert "2 nodes with 4 × 3 cores and 2.0 GiB" in shown["sentence"]
    assert not Job.objects.exists()
    wrong = body | {"resources": {"queue": "night"}}
    answer = page.post("/api/v1/dft/preview/", wrong, JSON)
    assert answer.status_code == 400
    assert "it has: small, large" in answer.json()["detail"]


def test_what_was_asked_reaches_the_run(page, owner, lab, cluster, tmp_path) -> None:  # noqa: F811
    resources = {"nodes": 2, "account": "gx01", "gpus": 1}
    body = body_of(owner, lab, resources=resources, walltime_s=600)
    assert page.post("/api/v1/dft/", body, JSON).status_code == 201
    job = Job.objects.get()
    assert (job.resources["nodes"], job.resources["account"]) == (2, "gx01")
    folder = tmp_path / "run"
    folder.mkdir()
    launch = dft_prepare(job, folder)
    assert (launch.resources.nodes, launch.resources.gpus) == (2, 1)
    assert launch.resources.walltime_s == 600
