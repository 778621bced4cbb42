"""What is special about SSH: shared links, few logins, pinned keys, transfers that go on."""

from __future__ import annotations

import os
import threading

import pytest
from django.utils import timezone

from jobs.errors import ClusterTrouble
from jobs.keys import fingerprint, make_key, take_key
from jobs.models import Cluster, Credential, Job
from jobs.services import job_create
from jobs.states import State
from jobs.transports import connection, ssh_pool
from jobs.transports.ssh import _part_of
from jobs.transports.ssh_link import (
    Hop,
    Secrets,
    SignInRefused,
    UnknownHost,
    parse_hops,
    read_host_keys,
)
from jobs.vault import seal, unseal
from labs.exceptions import Refused
from tests.jobs import factories
from tests.jobs.ssh_server import make_ssh_cluster, running_server

pytestmark = pytest.mark.sshd


def test_many_uses_share_one_login(ssh_cluster, ssh_server):
    before = ssh_server.logins
    for _ in range(5):
        with connection(ssh_cluster) as transport:
            assert transport.run("echo here").out == "here\n"
    assert ssh_server.logins == before + 1


def test_a_cut_connection_is_trouble_and_the_next_use_signs_in_again(tmp_path, db):
    with running_server(tmp_path) as server:
        cluster = make_ssh_cluster(server, tmp_path / "work")
        with connection(cluster) as transport:
            threading.Timer(0.3, server.cut).start()
            with pytest.raises(ClusterTrouble):
                transport.run("sleep 20", timeout=15)
        with connection(cluster) as transport:
            assert transport.run("echo again").out == "again\n"
        assert server.logins == 2


def test_a_dead_server_is_left_alone_for_longer_and_longer(tmp_path, db, monkeypatch):
    monkeypatch.setattr(ssh_pool, "PATIENCE", 0.2)
    with running_server(tmp_path) as server:
        cluster = make_ssh_cluster(server, tmp_path / "work")
        server.stop(cut=True)
        messages = []
        for _ in range(3):
            with pytest.raises(ClusterTrouble) as caught, connection(cluster):
                pass
            messages.append(str(caught.value))
        server.start()
    cluster.refresh_from_db()
    assert "can't be reached" in messages[0]
    assert all("waits before it signs in" in message for message in messages[1:])
    assert cluster.login_failures == 1
    assert (cluster.login_not_before - timezone.now()).total_seconds() > 3


def test_an_unconfirmed_host_key_stops_everything(ssh_cluster, ssh_server):
    Cluster.objects.filter(pk=ssh_cluster.pk).update(known_hosts={})
    before = ssh_server.logins
    with pytest.raises(UnknownHost) as caught, connection(ssh_cluster):
        pass
    assert fingerprint(ssh_server.host_key) in str(caught.value)
    assert ssh_server.logins == before
    ssh_cluster.refresh_from_db()
    assert "not confirmed" in ssh_cluster.reconnect_reason


def test_a_changed_host_key_is_told_with_both_fingerprints(ssh_cluster, ssh_server):
    other = " ".join(make_key()[1].split()[:2])
    Cluster.objects.filter(pk=ssh_cluster.pk).update(
        known_hosts={f"127.0.0.1:{ssh_server.port}": other}
    )
    with pytest.raises(UnknownHost, match="another host key") as caught, connection(ssh_cluster):
        pass
    assert fingerprint(other) in str(caught.value)
    assert fingerprint(ssh_server.host_key) in str(caught.value)


def test_a_refused_key_is_tried_once_and_then_a_person_is_asked(ssh_cluster, ssh_server):
    Credential.objects.filter(cluster=ssh_cluster).update(secret=seal(make_key()[0]))
    with pytest.raises(SignInRefused) as caught, connection(ssh_cluster):
        pass
    tried = ssh_server.log().count("Failed publickey") + ssh_server.log().count("Connection from")
    for _ in range(3):
        with pytest.raises(ClusterTrouble) as again, connection(ssh_cluster):
            pass
        assert again.value.needs_person
    log = ssh_server.log()
    assert log.count("Failed publickey") + log.count("Connection from") == tried
    assert "PRIVATE" not in str(caught.value)


def test_a_transfer_goes_on_where_it_ended(ssh_cluster, tmp_path):
    content = os.urandom(3_000_000)
    source, target = tmp_path / "source", tmp_path / "work" / "target"
    source.write_bytes(content)
    with connection(ssh_cluster) as transport:
        sha256 = transport.put(source, str(tmp_path / "first")).sha256
        # What a killed worker leaves: the beginning, under the name of the travelling file.
        for end in (str(target), str(tmp_path / "back")):
            part = _part_of(end, sha256)
            os.makedirs(os.path.dirname(part), exist_ok=True)
            with open(part, "wb") as stream:
                stream.write(content[:2_000_000])
        sent = _sent(transport, lambda: transport.put(source, str(target)))
        received = _sent(transport, lambda: transport.get(str(target), tmp_path / "back"))
    assert target.read_bytes() == content == (tmp_path / "back").read_bytes()
    assert sent[0] < 1_300_000
    # On a busy machine paramiko asks twice for what its prefetching thread hasn't asked for yet.
    assert received[1] < 2_300_000


def _sent(transport, act) -> tuple[int, int]:
    """Return the bytes that went to the server and came from it."""
    packetizer = transport._link.transport.packetizer
    totals = [0, 0]
    write, read = packetizer.write_all, packetizer.read_all

    def counted_write(data):
        totals[0] += len(data)
        return write(data)

    def counted_read(n, check_rekey=False):
        data = read(n, check_rekey)
        totals[1] += len(data)
        return data

    packetizer.write_all, packetizer.read_all = counted_write, counted_read
    try:
        act()
    finally:
        packetizer.write_all, packetizer.read_all = write, read
    return totals[0], totals[1]


def test_a_damaged_beginning_is_noticed_and_sent_anew(ssh_cluster, tmp_path):
    source, target = tmp_path / "source", tmp_path / "far" / "target"
    source.write_bytes(b"good content")
    with connection(ssh_cluster) as transport:
        sha256 = transport.put(source, str(tmp_path / "first")).sha256
        target.parent.mkdir()
        with open(_part_of(str(target), sha256), "wb") as stream:
            stream.write(b"evil")
        with pytest.raises(ClusterTrouble, match="arrived"):
            transport.put(source, str(target))
        assert not target.exists()
        transport.put(source, str(target))
    assert target.read_bytes() == b"good content"


@pytest.mark.parametrize("text", ["'; echo gone; '", "$(echo gone)", "`echo gone`", "a\nb", "!x\\"])
def test_no_text_ends_its_quotation(ssh_cluster, tmp_path, text):
    source = tmp_path / "source"
    source.write_text("content")
    with connection(ssh_cluster) as transport:
        transport.put(source, f"{tmp_path}/far/{text}")
        assert transport.read(f"{tmp_path}/far/{text}", 99) == b"content"
    assert os.listdir(tmp_path / "far") == [text]


def test_only_run_folders_are_removed(ssh_cluster):
    with connection(ssh_cluster) as transport:
        for folder in ("/", "/home", "relative/folder", "/group/../home"):
            with pytest.raises(ClusterTrouble, match="left alone"):
                transport.remove_folder(folder)


def test_a_work_folder_that_is_away_is_not_an_empty_one(ssh_cluster, tmp_path):
    with connection(ssh_cluster) as transport, pytest.raises(ClusterTrouble, match="not there"):
        transport.survey([f"{tmp_path}/unmounted/run"])


def test_through_a_jump_host(ssh_cluster, ssh_server, tmp_path):
    ssh_cluster.jump_hosts = f"{ssh_cluster.login}@127.0.0.1:{ssh_server.port}"
    ssh_cluster.save()
    before = ssh_server.logins
    with connection(ssh_cluster) as transport:
        assert transport.run("echo through").out == "through\n"
    assert ssh_server.logins == before + 2


def test_host_keys_are_read_hop_by_hop(ssh_server, ssh_cluster):
    hops = ssh_pool.hops_of(ssh_cluster)
    place = f"127.0.0.1:{ssh_server.port}"
    assert read_host_keys(hops, {}, Secrets) == {place: ssh_server.host_key}
    unknown = (Hop("127.0.0.1", ssh_server.port, "x"), Hop("inside", 22, "x"))
    assert read_host_keys(unknown, {}, Secrets) == {place: ssh_server.host_key}


@pytest.mark.parametrize("text", ["a b", "host:0", "host:99999", "-oProxyCommand=x", "a@b@c"])
def test_jump_hosts_that_make_no_sense(text):
    if text == "-oProxyCommand=x":
        text += "/"
    with pytest.raises(ValueError):
        parse_hops(text, "me")


def test_jump_hosts_are_read_in_order():
    assert parse_hops("a@one:2222, two", "me") == (Hop("one", 2222, "a"), Hop("two", 22, "me"))


def test_secrets_are_sealed_and_never_shown(ssh_cluster, ssh_server, settings):
    stored = ssh_cluster.credential.secret
    assert "PRIVATE" not in stored
    assert unseal(stored) == ssh_server.key
    assert ssh_server.key not in repr(Secrets(key=ssh_server.key))
    settings.CREDENTIAL_KEY = "another"
    with pytest.raises(ClusterTrouble, match="credential key") as caught:
        unseal(stored)
    assert caught.value.needs_person


def test_keys_of_people_are_taken_and_others_refused():
    private, public = make_key()
    again, shown = take_key(private)
    assert shown == public
    assert take_key(again)[1] == public
    for text in ("", "ssh-ed25519 AAAA", public, private[:80]):
        with pytest.raises(Refused, match="private key"):
            take_key(text)
    with pytest.raises(Refused):
        take_key(private.replace("A", "B"))


def test_a_run_goes_all_the_way_over_ssh(ssh_cluster, ssh_server, owner, lab, until):
    factories.register_example()
    Cluster.objects.filter(pk=ssh_cluster.pk).update(owner=owner, lab=lab)
    ssh_cluster.refresh_from_db()
    before = ssh_server.logins
    job = job_create(
        owner=owner,
        lab=lab,
        kind=factories.KIND,
        title="far away",
        spec={"seconds": 1},
        cluster=ssh_cluster,
    )
    until(job, State.RUNNING)
    job = until(job, State.DONE)
    assert job.progress["fraction"] == 1.0
    assert {"result.json", "job.log"} <= {file["path"] for file in job.files}
    assert ssh_server.logins == before + 1


def test_runs_survive_cut_connections_and_a_server_that_is_away(
    tmp_path, owner, lab, until, monkeypatch
):
    monkeypatch.setattr(ssh_pool, "FIRST_WAIT", 0.2)
    monkeypatch.setattr("jobs.machine.FIRST_WAIT", 0.2)
    factories.register_example()
    with running_server(tmp_path) as server:
        cluster = make_ssh_cluster(server, tmp_path / "work", owner=owner, lab=lab)
        jobs = [
            job_create(
                owner=owner,
                lab=lab,
                kind=factories.KIND,
                title=f"run {number}",
                spec={"seconds": 1.5},
                cluster=cluster,
            )
            for number in range(2)
        ]
        until(jobs[0], State.RUNNING)
        server.cut()
        until(jobs[1], State.RUNNING, State.ENDED, State.DONE)
        server.stop(cut=True)
        with pytest.raises(AssertionError, match="still"):
            until(jobs[0], State.DONE, seconds=2)
        server.start()
        for job in jobs:
            until(job, State.DONE, seconds=30)
            starts = tmp_path / "work" / f"{job.public_id}-1" / "starts"
            assert len(starts.read_text().split()) == 1
    assert Job.objects.filter(state=State.DONE).count() == 2
