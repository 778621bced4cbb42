"""Queues, limits and what reaches the head of the script."""

import pytest

from jobs.cluster_text import queues_from_text
from jobs.clusters import recipes_of
from jobs.models import Cluster
from jobs.placement import Placement, choose_queue, place
from jobs.presets import PRESETS
from jobs.registration import ClusterSettings, cluster_create
from jobs.schedulers.base import ScriptHeader
from jobs.schedulers.pjm import PjmScheduler
from jobs.services import job_create
from labs.exceptions import PermissionDenied, Refused
from labs.models import Role
from mlmd.launch import Resources
from tests.jobs import factories

QUEUES = [
    {"name": "short", "nodes": 2, "cores": 8, "hours": 0.5},
    {"name": "long", "nodes": 24, "cores": 48, "hours": 24, "gpus": 0},
    {"name": "gpu", "nodes": 1, "cores": 9, "gpus": 8},
]


@pytest.fixture
def far(db):
    return Cluster(name="far", scheduler="slurm", queues=QUEUES, account="gx00")


@pytest.mark.parametrize(
    ("resources", "name"),
    [
        (Resources(threads=8, walltime_s=1800), "short"),
        (Resources(threads=9, walltime_s=1800), "long"),
        (Resources(threads=8, walltime_s=1801), "long"),
        (Resources(nodes=3, threads=8, walltime_s=1800), "long"),
        (Resources(gpus=1, threads=9, walltime_s=10**6), "gpu"),
        (Resources(processes=4, threads=12), "long"),
    ],
)
def test_the_first_queue_that_fits_is_taken(far, resources, name):
    far.queues = [{**QUEUES[0], "gpus": 0}, *QUEUES[1:]]
    assert choose_queue(far, resources) == name


def test_what_fits_nowhere_is_refused_with_every_limit(far):
    with pytest.raises(Refused) as caught:
        choose_queue(far, Resources(nodes=25, threads=48))
    for part in ("short: nodes: 25 asked, 2 allowed", "long: nodes: 25 asked, 24 allowed", "gpu"):
        assert part in str(caught.value)


def test_a_named_queue_is_taken_or_refused(far):
    assert choose_queue(far, Resources(), "long") == "long"
    with pytest.raises(Refused, match=r"has no queue “fast”.*short, long, gpu"):
        choose_queue(far, Resources(), "fast")
    with pytest.raises(Refused, match="short: time"):
        choose_queue(far, Resources(walltime_s=3600), "short")
    assert choose_queue(Cluster(), Resources(nodes=999)) == ""


def test_a_run_says_who_pays(far, owner, lab):
    job = factories.make_job(owner, lab, resources={"queue": "long"})
    job.cluster = far
    assert place(job, Resources()) == Placement("long", "gx00")
    job.resources["account"] = "gy11"
    far.options = {"directives": ["--exclusive"]}
    assert place(job, Resources()) == Placement("long", "gy11", ("--exclusive",))


def test_a_run_that_fits_nowhere_is_not_created(cluster, owner, lab):
    cluster.queues = QUEUES[:1]
    cluster.save()
    with pytest.raises(Refused, match="doesn't fit"):
        job_create(
            owner=owner,
            lab=lab,
            kind=factories.KIND,
            title="x",
            spec={},
            cluster=cluster,
            resources={"threads": 64},
        )


def test_nobody_runs_on_a_cluster_of_another_lab(owner, lab, db):
    elsewhere = factories.make_lab()
    far = Cluster.objects.create(
        name="far", lab=elsewhere, owner=factories.make_user(elsewhere), visibility="lab"
    )
    factories.register_example()
    with pytest.raises(PermissionDenied, match="not open to you"):
        job_create(owner=owner, lab=lab, kind=factories.KIND, title="x", spec={}, cluster=far)


def test_a_code_in_a_container_starts_through_its_runtime():
    cluster = Cluster(
        work_dir="/group/gx00",
        options={"container": "singularity"},
        recipes={"pw.x": {"argv": ["pw.x"], "image": "/group/gx00/qe.sif", "binds": ["/data"]}},
    )
    assert recipes_of(cluster)["pw.x"].argv == (
        *("singularity", "exec", "--no-home", "--bind=/group/gx00", "--bind=/data"),
        *("/group/gx00/qe.sif", "pw.x"),
    )


@pytest.fixture
def manager(lab):
    return factories.make_user(lab, Role.MANAGER)


@pytest.mark.parametrize("word", ["wisteria-o", "wisteria-a"])
def test_a_preset_is_registered_once_its_placeholders_are_replaced(word, manager, lab):
    values = {"login": "x00000", **PRESETS[word].values}
    with pytest.raises(Refused, match="Replace GROUP and USER"):
        cluster_create(owner=manager, lab=lab, settings=ClusterSettings(**values))
    for name in ("work_dir", "recipes"):
        values[name] = values[name].replace("GROUP", "gx00").replace("USER", "x00000")
    cluster = cluster_create(owner=manager, lab=lab, settings=ClusterSettings(**values))
    assert recipes_of(cluster)["mlmd"].argv[:2] == ("singularity", "exec")
    assert cluster.options["directives"] == ["-L jobenv=singularity"]


@pytest.mark.parametrize(
    ("word", "asked", "queue"),
    [
        ("wisteria-o", Resources(processes=48, walltime_s=3600), "short-o"),
        ("wisteria-o", Resources(nodes=100, walltime_s=40 * 3600), "regular-o"),
        ("wisteria-o", Resources(nodes=2000, walltime_s=20 * 3600), "regular-o"),
        ("wisteria-a", Resources(threads=9, walltime_s=3600), "share-short"),
        ("wisteria-a", Resources(gpus=2, threads=18, walltime_s=40 * 3600), "share"),
        ("wisteria-a", Resources(gpus=8, threads=72, walltime_s=40 * 3600), "regular-a"),
    ],
)
def test_runs_find_their_resource_group_on_wisteria(word, asked, queue):
    cluster = Cluster(queues=queues_from_text(PRESETS[word].values["queues"]))
    assert choose_queue(cluster, asked) == queue


def test_runs_that_wisteria_has_no_group_for_are_refused_here():
    cluster = Cluster(queues=queues_from_text(PRESETS["wisteria-o"].values["queues"]))
    with pytest.raises(Refused, match=r"memory per node: 40\.0 GiB asked, 28\.0 GiB allowed"):
        choose_queue(cluster, Resources(memory_mb=40 * 1024))
    with pytest.raises(Refused, match="regular-o: nodes"):
        choose_queue(cluster, Resources(nodes=3000))


@pytest.mark.parametrize(
    ("queue", "gpus", "asks"),
    [
        ("share-short", 0, "-L gpu=1"),
        ("share", 4, "-L gpu=4"),
        ("regular-a", 8, "-L node=1"),
        ("short-o", 0, "-L node=1"),
        ("", 2, "-L gpu=2"),
    ],
)
def test_shared_nodes_are_asked_for_by_gpus_and_others_by_nodes(queue, gpus, asks):
    header = ScriptHeader("x", "/group/x", Resources(gpus=gpus), queue)
    lines = PjmScheduler().directives(header)
    assert f"#PJM {asks}" in lines
    assert len([line for line in lines if "-L gpu=" in line or "-L node=" in line]) == 1
