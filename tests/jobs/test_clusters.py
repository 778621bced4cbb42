"""Registering, connecting and changing clusters, on a real SSH server."""

from __future__ import annotations

import getpass
import shutil
import sys
from dataclasses import replace

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from jobs import probing, registration
from jobs.cluster_text import (
    queues_from_text,
    queues_to_text,
    recipes_from_text,
    recipes_to_text,
)
from jobs.keys import fingerprint, make_key
from jobs.models import Cluster, Credential
from jobs.presets import PRESETS
from jobs.services import job_create
from jobs.states import State
from jobs.vault import unseal
from labs.exceptions import PermissionDenied, Refused
from labs.models import AuditEvent, Role
from tests.jobs import factories

BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def manager(lab):
    return factories.make_user(lab, Role.MANAGER)


@pytest.fixture
def page(client, manager):
    client.force_login(manager, backend=BACKEND)
    return client


@pytest.fixture
def far(manager, lab):
    return factories.make_far_cluster(manager, lab)


def text(answer) -> str:
    return answer.content.decode()


@pytest.mark.sshd
def test_from_the_first_form_to_the_first_run(
    page, manager, lab, ssh_server, tmp_path, until, monkeypatch
):
    """What docs/clusters.md says, step by step; the probe is done where a worker would."""
    factories.register_example()
    sent = []
    monkeypatch.setattr("jobs.registration.nudge", lambda task, pk: sent.append((task, pk)))
    values = {
        "name": "Glass cluster",
        "host": "127.0.0.1",
        "port": ssh_server.port,
        "login": getpass.getuser(),
        "scheduler": "direct",
        "work_dir": str(tmp_path / "work"),
        "recipes": f"python = {sys.executable}",
        "container": "none",
        "cores": 2,
        "poll_interval_s": 2,
        "is_active": "on",
    }
    answer = page.post(reverse("jobs:cluster-new"), values)
    cluster = Cluster.objects.get(name="Glass cluster")
    assert answer.status_code == 302
    assert sent == [("jobs.tasks.probe", cluster.pk)]
    address = reverse("jobs:cluster", args=[cluster.public_id])

    probing.probe(cluster.pk)
    shown = fingerprint(ssh_server.host_key)
    assert shown in text(page.get(address))
    assert "Confirm host key" in text(page.get(address))
    assert Cluster.objects.get(pk=cluster.pk).probe["checks"] == []

    place = f"127.0.0.1:{ssh_server.port}"
    page.post(
        reverse("jobs:cluster-confirm", args=[cluster.public_id]),
        {"place": place, "fingerprint": shown},
    )
    probing.probe(cluster.pk)
    refused = text(page.get(address))
    assert "install the public key" in refused
    assert "Reconnect needed" in refused
    public = Credential.objects.get(cluster=cluster).public_key
    assert public in refused

    authorized = ssh_server.folder / "authorized_keys"
    before = authorized.read_text()
    authorized.write_text(f"{before}{public}\n")
    try:
        page.post(reverse("jobs:cluster-probe", args=[cluster.public_id]))
        probing.probe(cluster.pk)
        cluster.refresh_from_db()
        checks = {check["name"]: check for check in cluster.probe["checks"]}
        assert set(checks) - {"quota"} == {
            *("sign_in", "programs", "scheduler", "folder", "space", "codes", "queue"),
        }
        assert [check for check in checks.values() if not check["ok"]] == []
        assert (tmp_path / "work").is_dir()
        assert "Linux" in checks["scheduler"]["text"]
        assert "Reconnect needed" not in text(page.get(address))

        options = {**cluster.options, "poll_interval_s": 0}
        Cluster.objects.filter(pk=cluster.pk).update(options=options)
        cluster.refresh_from_db()
        job = job_create(
            owner=manager, lab=lab, kind=factories.KIND, title="first", spec={}, cluster=cluster
        )
        until(job, State.DONE, seconds=30)
    finally:
        authorized.write_text(before)
    verbs = set(AuditEvent.objects.filter(lab=lab).values_list("verb", flat=True))
    assert {"cluster registered", "cluster host key confirmed"} <= verbs


@pytest.mark.sshd
def test_a_probe_tells_what_is_not_well(ssh_cluster, tmp_path):
    (tmp_path / "file").write_text("in the way")
    Cluster.objects.filter(pk=ssh_cluster.pk).update(
        work_dir=f"{tmp_path}/file/work",
        scheduler="pbs",
        options={"container": "no-such-runtime"},
    )
    probing.probe(ssh_cluster.pk)
    checks = {
        check["name"]: check for check in Cluster.objects.get(pk=ssh_cluster.pk).probe["checks"]
    }
    assert checks["programs"]["ok"]
    wrong = {name for name, check in checks.items() if not check["ok"]}
    assert {"folder", "container", "queue"} <= wrong
    if shutil.which("qstat") is None:
        assert "scheduler" in wrong


def test_a_probe_looks_for_each_code_where_a_run_would(ssh_cluster, tmp_path):
    image = tmp_path / "qe.sif"
    image.touch()
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "lmp").write_text("#!/bin/sh\n")
    (programs / "lmp").chmod(0o755)
    recipes = {
        "lmp": {"argv": ["lmp"]},
        "pw.x": {"argv": ["pw.x"], "image": str(image)},
        "it's": {"argv": ["sh"]},
    }
    Cluster.objects.filter(pk=ssh_cluster.pk).update(
        recipes=recipes, setup=f"export PATH={programs}:$PATH"
    )

    def codes():
        probing.probe(ssh_cluster.pk)
        cluster = Cluster.objects.get(pk=ssh_cluster.pk)
        assert cluster.contacted_at is not None
        return next(check for check in cluster.probe["checks"] if check["name"] == "codes")

    assert codes() == {
        "name": "codes",
        "ok": True,
        "text": f"it's: sh\nlmp: lmp\npw.x: {image}",
    }
    image.unlink()
    (programs / "lmp").unlink()
    found = codes()
    assert not found["ok"]
    assert "lmp: lmp is missing" in found["text"]
    assert f"pw.x: {image} is missing" in found["text"]


def test_secrets_leave_no_trace_in_pages_api_audit_or_admin(page, far, manager, client):
    private, _public = make_key()
    for method, secret in (("key", private), ("password", "hunter-2-hunter"), ("code", "424242")):
        answer = page.post(
            reverse("jobs:cluster-credential", args=[far.public_id]),
            {"method": method, "secret": secret},
        )
        assert answer.status_code == 302
        places = [
            text(page.get(reverse("jobs:cluster", args=[far.public_id]))),
            text(page.get(reverse("jobs:cluster-edit", args=[far.public_id]))),
            text(page.get(reverse("api:cluster-detail", args=[far.public_id]))),
            text(page.get(reverse("api:cluster-state", args=[far.public_id]))),
            str(list(AuditEvent.objects.values())),
            str(Credential.objects.values().get()),
        ]
        needle = secret.splitlines()[1] if method == "key" else secret
        assert not [place for place in places if needle in place]
    stored = Credential.objects.get(cluster=far)
    assert unseal(stored.secret) == "hunter-2-hunter"
    assert unseal(stored.one_time) == "424242"
    operator = get_user_model().objects.create_superuser("o@example.org", "a b c d", name="O")
    client.force_login(operator, backend=BACKEND)
    assert client.get("/admin/jobs/credential/").status_code == 404


def test_a_refused_key_is_said_in_words_and_nothing_changes(page, far):
    before = Credential.objects.get(cluster=far).secret
    answer = page.post(
        reverse("jobs:cluster-credential", args=[far.public_id]),
        {"method": "key", "secret": "not a key"},
        follow=True,
    )
    assert "no private key" in text(answer)
    assert Credential.objects.get(cluster=far).secret == before


def test_a_person_who_acts_lets_blocked_runs_go_on(far, manager, lab):
    job = factories.make_job(
        manager, lab, state=State.BLOCKED, cluster=far, blocked_from=State.STAGED
    )
    job.next_step_at = None
    job.save()
    Cluster.objects.filter(pk=far.pk).update(reconnect_reason="asks for a code", failures=3)
    registration.credential_set(cluster=far, actor=manager, method="code", secret="123456")
    far.refresh_from_db()
    job.refresh_from_db()
    assert (far.reconnect_reason, far.failures) == ("", 0)
    assert job.next_step_at is not None


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("host", "host; rm -rf ~", "Host"),
        ("host", "-oProxyCommand=x", "Host"),
        ("login", "a b", "Account"),
        ("account", "gx00\n#PJM -L node=999", "Group"),
        ("work_dir", "relative", "Work folder"),
        ("work_dir", "/", "Work folder"),
        ("work_dir", "/work/../home", "Work folder"),
        ("work_dir", "/group/a\nb", "Work folder"),
        ("scheduler", "lsf", "Scheduler"),
        ("port", 70000, "Port"),
        ("jump_hosts", "gate one", "Jump host"),
        ("queues", "short nodes=many", "Queue"),
        ("queues", "a$(b)", "queue"),
        ("recipes", "mlmd", "Recipe"),
        ("recipes", "mlmd = 'open", "Recipe"),
        ("poll_interval_s", 0.1, "Seconds"),
    ],
)
def test_settings_that_make_no_sense_are_refused(far, manager, field, value, words):
    settings = replace(registration.settings_of(far), **{field: value})
    with pytest.raises(Refused, match=words):
        registration.cluster_update(cluster=far, actor=manager, settings=settings)


def test_nothing_moves_below_runs_on_their_way(far, manager, lab):
    factories.make_job(manager, lab, cluster=far, state=State.RUNNING)
    settings = registration.settings_of(far)
    with pytest.raises(Refused, match="on their way"):
        registration.cluster_update(
            cluster=far, actor=manager, settings=replace(settings, work_dir="/group/other/place")
        )
    registration.cluster_update(
        cluster=far, actor=manager, settings=replace(settings, description="Nights only")
    )
    assert Cluster.objects.get(pk=far.pk).description == "Nights only"


def test_two_clusters_of_a_lab_have_two_names(far, manager, lab):
    with pytest.raises(Refused, match="already"):
        factories.make_far_cluster(manager, lab)
    elsewhere = factories.make_lab()
    other = factories.make_user(elsewhere, Role.MANAGER)
    assert factories.make_far_cluster(other, elsewhere).name == far.name


def test_members_and_strangers_set_up_nothing(far, owner, lab, db):
    for person in (owner, factories.make_user(factories.make_lab(), Role.MANAGER)):
        for act in (
            lambda p: registration.probe_ask(cluster=far, actor=p),
            lambda p: registration.credential_set(cluster=far, actor=p, method="generate"),
            lambda p: registration.cluster_open(cluster=far, actor=p, is_active=False),
            lambda p: factories.make_far_cluster(p, lab),
        ):
            with pytest.raises(PermissionDenied):
                act(person)


def test_the_built_in_cluster_is_not_set_up_here(cluster, manager):
    with pytest.raises(PermissionDenied, match="operators"):
        registration.probe_ask(cluster=cluster, actor=manager)


def test_a_closed_cluster_takes_no_runs(page, far, manager, lab):
    page.post(reverse("jobs:cluster-open", args=[far.public_id]), {"open": "0"})
    far.refresh_from_db()
    with pytest.raises(Refused, match="takes no new runs"):
        job_create(owner=manager, lab=lab, kind=factories.KIND, title="x", spec={}, cluster=far)


def test_members_see_the_cluster_without_what_only_managers_need(client, owner, far):
    client.force_login(owner, backend=BACKEND)
    seen = text(client.get(reverse("jobs:cluster", args=[far.public_id])))
    assert "short" in seen
    for hidden in ("ssh-ed25519", factories.SHOWN_KEY["fingerprint"], "Probe cluster"):
        assert hidden not in seen


@pytest.mark.parametrize("word", PRESETS)
def test_presets_fill_the_form_with_what_can_be_read(page, word):
    answer = page.get(reverse("jobs:cluster-new"), {"preset": word})
    assert answer.status_code == 200
    values = PRESETS[word].values
    assert set(values) <= set(answer.context["form"].fields)
    assert len(queues_from_text(values.get("queues", ""))) == len(
        values.get("queues", "").splitlines()
    )


def test_lines_say_the_same_after_a_round_trip():
    lines = "short nodes=24 hours=0.5\nlong cores=48 gpus=0"
    queues = queues_from_text(lines)
    assert queues[0] == {"name": "short", "nodes": 24, "hours": 0.5}
    assert queues_from_text(queues_to_text(queues)) == queues
    before = {"pw.x": {"argv": ["old"], "environment": {"A": "b"}}}
    recipes = recipes_from_text("pw.x @ /group/qe.sif = pw.x -nk 2\nlmp = 'my lmp'", before)
    assert recipes["pw.x"] == {
        "argv": ["pw.x", "-nk", "2"],
        "image": "/group/qe.sif",
        "environment": {"A": "b"},
    }
    assert recipes_from_text(recipes_to_text(recipes), recipes) == recipes


def test_the_api_registers_and_changes(page, lab, manager):
    body = {
        "lab": str(lab.public_id),
        "name": "By API",
        "host": "far.example",
        "login": "portal",
        "scheduler": "slurm",
        "work_dir": "/group/portal",
    }
    answer = page.post(reverse("api:cluster-list"), body, content_type="application/json")
    assert answer.status_code == 201
    assert answer.json()["public_key"].startswith("ssh-ed25519 ")
    address = reverse("api:cluster-detail", args=[answer.json()["id"]])
    changed = page.patch(address, {"queues": "a nodes=2"}, content_type="application/json")
    assert changed.status_code == 200
    assert page.get(address).json()["queues"] == [{"name": "a", "nodes": 2}]
    wrong = page.patch(address, {"host": "a b"}, content_type="application/json")
    assert wrong.status_code == 400
    assert "Host" in wrong.json()["detail"]
