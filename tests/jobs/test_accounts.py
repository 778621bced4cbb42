"""A person's own account on a cluster of the lab."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from jobs import registration
from jobs.accounts import OwnAccount, account_close, account_of, account_open
from jobs.limits import limit_set
from jobs.models import Cluster, Credential, Job, Limit
from jobs.offering import clusters_offering, usual_cluster
from jobs.registration import settings_of
from jobs.selectors import JobFilter, cluster_loads, clusters_known_to, jobs_filtered
from jobs.services import job_create
from jobs.states import State
from labs.exceptions import Refused
from labs.models import Membership, Role
from tests.jobs import factories

OWN = OwnAccount("sato", "/group/sato/portal", "gx01")


@pytest.fixture
def manager(lab):
    return factories.make_user(lab, Role.MANAGER)


@pytest.fixture
def far(manager, lab):
    factories.register_example()
    return factories.make_far_cluster(manager, lab)


@pytest.fixture
def account(far, owner):
    return account_open(cluster=far, actor=owner, own=OWN)


def start(owner, lab, cluster, **more):
    return job_create(
        owner=owner, lab=lab, kind=factories.KIND, title="x", spec={}, cluster=cluster, **more
    )


def test_runs_go_under_the_account_of_who_starts_them(far, account, owner, manager, lab):
    mine, theirs = start(owner, lab, far), start(manager, lab, far)
    assert (mine.cluster, theirs.cluster) == (account, far)
    assert (account.login, account.work_dir, account.account) == (
        "sato",
        "/group/sato/portal",
        "gx01",
    )
    assert account.host == far.host
    assert Credential.objects.get(cluster=account).public_key.startswith("ssh-ed25519 ")
    assert account.credential.secret != far.credential.secret


def test_who_chose_the_account_itself_means_the_cluster(far, account, owner, manager, lab):
    assert start(owner, lab, account).cluster == account
    assert start(manager, lab, account).cluster == far


def test_an_account_follows_the_entry_of_the_lab(far, account, manager):
    changed = replace(settings_of(far), queues="long hours=48", mpi="srun -n {processes}")
    registration.cluster_update(cluster=far, actor=manager, settings=changed)
    registration.host_key_confirm(
        cluster=far,
        actor=manager,
        place=factories.SHOWN_KEY["place"],
        shown=factories.SHOWN_KEY["fingerprint"],
    )
    account.refresh_from_db()
    assert [queue["name"] for queue in account.queues] == ["long"]
    assert account.options["mpi"] == ["srun", "-n", "{processes}"]
    assert account.known_hosts == far.known_hosts
    assert (account.login, account.work_dir) == ("sato", "/group/sato/portal")
    registration.cluster_open(cluster=far, actor=manager, is_active=False)
    account.refresh_from_db()
    assert not account.is_active


def test_nothing_moves_below_runs_of_accounts(far, account, owner, manager, lab):
    start(owner, lab, far)
    with pytest.raises(Refused, match="on their way"):
        registration.cluster_update(
            cluster=far, actor=manager, settings=replace(settings_of(far), host="other.example")
        )


def test_only_its_owner_sees_and_sets_up_an_account(far, account, owner, manager):
    assert account in clusters_known_to(owner)
    assert account not in clusters_known_to(manager)
    registration.credential_set(cluster=account, actor=owner, method="generate")
    registration.probe_ask(cluster=account, actor=owner)
    for act in (
        lambda: registration.credential_set(cluster=account, actor=manager, method="generate"),
        lambda: registration.probe_ask(cluster=account, actor=manager),
        lambda: registration.credential_set(cluster=far, actor=owner, method="generate"),
    ):
        with pytest.raises(PermissionDenied):
            act()
    for act in (
        lambda: registration.cluster_open(cluster=account, actor=manager, is_active=False),
        lambda: registration.cluster_update(
            cluster=account, actor=manager, settings=settings_of(account)
        ),
    ):
        with pytest.raises(Refused, match="follows the lab's entry"):
            act()


def test_forms_offer_the_entry_and_propose_it_after_a_run_under_the_account(
    far, account, owner, lab
):
    offered = clusters_offering(owner, "mlmd")
    assert far in offered
    assert account not in offered
    start(owner, lab, far)
    assert usual_cluster(owner, factories.KIND, offered) == far


def test_lists_and_limits_count_all_accounts_of_a_cluster(far, account, owner, manager, lab):
    job = start(owner, lab, far)
    Job.objects.filter(pk=job.pk).update(state=State.RUNNING)
    assert list(jobs_filtered(manager, JobFilter(cluster=far.name))) == [job]
    load = next(load for load in cluster_loads(manager) if load.cluster == far)
    assert load.working == 1
    assert account not in [load.cluster for load in cluster_loads(owner)]
    limit_set(lab=lab, actor=manager, what=Limit.What.RUNNING, amount=0, cluster=far)
    with pytest.raises(Refused):
        start(owner, lab, far)


def test_an_account_is_given_up_and_taken_again(far, account, owner, lab):
    job = start(owner, lab, far)
    with pytest.raises(Refused, match="on their way"):
        account_close(cluster=far, actor=owner)
    Job.objects.filter(pk=job.pk).update(state=State.DONE)
    account_close(cluster=far, actor=owner)
    assert account_of(owner, far) is None
    assert start(owner, lab, far).cluster == far
    with pytest.raises(Refused, match="the lab's account"):
        account_close(cluster=far, actor=owner)
    again = account_open(cluster=far, actor=owner, own=replace(OWN, login="suzuki"))
    assert again.pk == account.pk
    assert start(owner, lab, far).cluster.login == "suzuki"


def test_who_leaves_the_lab_loses_the_account(far, account, owner):
    Membership.objects.filter(user=owner).delete()
    assert account not in clusters_known_to(owner)
    with pytest.raises(PermissionDenied):
        registration.probe_ask(cluster=account, actor=owner)


def test_the_page_and_the_api_do_it(far, owner, manager, client, lab):
    """A member adds an account on the page, installs the key, and gives it up over the API."""
    client.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    page = reverse("jobs:cluster", args=[far.public_id])
    assert "Use my own account" in client.get(page).content.decode()
    address = reverse("jobs:cluster-account", args=[far.public_id])
    answer = client.post(address, {"login": "sato", "work_dir": "/group/sato/portal"})
    account = account_of(owner, far)
    assert answer.url == reverse("jobs:cluster", args=[account.public_id])
    own = client.get(answer.url).content.decode()
    assert account.credential.public_key in own
    assert "Change settings" not in own
    assert "Close for new runs" not in own
    shown = client.get(page).content.decode()
    assert "Your runs go under <strong>sato</strong>" in shown
    assert "Public key" not in shown
    listed = client.get(reverse("api:cluster-list")).json()["results"]
    assert str(account.public_id) not in [row["id"] for row in listed]
    assert client.delete(reverse("api:cluster-account", args=[far.public_id])).status_code == 204
    assert account_of(owner, far) is None
    body = {"login": "sato", "work_dir": "/group/sato/portal"}
    again = client.post(
        reverse("api:cluster-account", args=[far.public_id]), body, content_type="application/json"
    )
    assert again.status_code == 201
    assert again.json()["public_key"].startswith("ssh-ed25519 ")
    refused = client.post(address, {"login": "", "work_dir": ""}, follow=True)
    assert "Enter your account" in refused.content.decode()


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (replace(OWN, login=""), "Account"),
        (replace(OWN, login="a b"), "Account"),
        (replace(OWN, account="x;y"), "Group"),
        (replace(OWN, work_dir="here"), "Work folder"),
        (replace(OWN, work_dir="/group/../etc/x"), "Work folder"),
        (replace(OWN, work_dir="/group/x\ny"), "Work folder"),
    ],
)
def test_what_makes_no_sense_is_refused(far, owner, own, words):
    with pytest.raises(Refused, match=words):
        account_open(cluster=far, actor=owner, own=own)
    assert not Cluster.objects.filter(shared=far).exists()


def test_there_is_one_account_a_person_and_only_on_the_lab_s_clusters(far, account, owner, lab):
    with pytest.raises(Refused, match="already"):
        account_open(cluster=far, actor=owner, own=OWN)
    with pytest.raises(Refused, match="the lab registered"):
        account_open(cluster=account, actor=owner, own=OWN)
    guest = factories.make_user(lab, Role.GUEST)
    for person in (guest, factories.make_user(factories.make_lab())):
        with pytest.raises(PermissionDenied):
            account_open(cluster=far, actor=person, own=OWN)
