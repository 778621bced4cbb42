"""Keys that lie on the portal's server: operators refer to them, and nothing of them is stored."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command

from jobs import probing
from jobs.errors import ClusterTrouble
from jobs.models import Cluster, Credential
from jobs.transports.ssh_pool import secrets_of
from jobs.vault import unseal
from labs.audit import AuditEvent
from labs.models import Role
from tests.faults.servers import missing
from tests.jobs import factories

pytestmark = pytest.mark.sshd


@pytest.fixture
def cluster(ssh_cluster, lab) -> Cluster:
    """A cluster whose stored key is worth nothing."""
    manager = factories.make_user(lab, Role.MANAGER)
    Cluster.objects.filter(pk=ssh_cluster.pk).update(lab=lab, owner=manager)
    Credential.objects.filter(cluster=ssh_cluster).update(secret="")
    ssh_cluster.refresh_from_db()
    return ssh_cluster


@pytest.fixture
def key_file(tmp_path, ssh_server):
    path = tmp_path / "id_portal"
    path.write_text(ssh_server.key)
    path.chmod(0o600)
    return path


def signs_in(cluster: Cluster) -> dict:
    probing.probe(cluster.pk)
    checks = Cluster.objects.get(pk=cluster.pk).probe["checks"]
    return next(check for check in checks if check["name"] == "sign_in")


def test_the_worker_reads_the_file_that_an_operator_names(cluster, key_file, ssh_server, client):
    call_command("cluster_credential", str(cluster.public_id), "--key-file", str(key_file))
    assert signs_in(cluster)["ok"]
    stored = Credential.objects.get(cluster=cluster)
    assert unseal(stored.secret) == str(key_file.resolve())
    assert stored.public_key.split()[:2] == ssh_server.public_key.split()[:2]
    assert AuditEvent.objects.get(lab=cluster.lab).detail["method"] == "file"
    client.force_login(cluster.owner, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(f"/clusters/{cluster.public_id}/").content.decode()
    assert "a file of the portal" in page
    assert str(key_file) not in page
    key_file.unlink()
    with pytest.raises(ClusterTrouble, match="ask its operator") as trouble:
        secrets_of(cluster)
    assert trouble.value.needs_person
    assert str(key_file) not in str(trouble.value)


@pytest.fixture
def agent(tmp_path, monkeypatch, key_file) -> Iterator[None]:
    if shutil.which("ssh-agent") is None:
        missing("no ssh-agent here: apt-get install openssh-client")
    socket = f"/tmp/mlmd-agent-{os.getpid()}"  # pytest's folders are too long for a socket
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", socket)
    try:
        for name in ("other", ""):
            path = tmp_path / name if name else key_file
            if name:
                subprocess.run(
                    ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True
                )
            for _ in range(100):
                done = subprocess.run(["ssh-add", "-q", path], capture_output=True, check=False)
                if done.returncode == 0:
                    break
            assert done.returncode == 0, done.stderr
        yield
    finally:
        process.terminate()
        process.wait(10)


def test_the_agent_of_the_server_signs_in_with_the_key_that_fits(cluster, agent):
    call_command("cluster_credential", str(cluster.public_id), "--agent")
    assert signs_in(cluster)["ok"]


def test_an_agent_without_a_fitting_key_is_said_in_words(cluster, monkeypatch):
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    call_command("cluster_credential", str(cluster.public_id), "--agent")
    found = signs_in(cluster)
    assert not found["ok"]
    assert "takes no key of the SSH agent" in found["text"]


def test_what_can_t_be_referred_to_is_refused(cluster, tmp_path):
    (tmp_path / "text").write_text("no key")
    for path, words in (
        (tmp_path / "nothing", "can't be read"),
        (tmp_path / "text", "no private key"),
    ):
        with pytest.raises(CommandError, match=words):
            call_command("cluster_credential", str(cluster.public_id), "--key-file", str(path))
    with pytest.raises(CommandError, match="There is no cluster"):
        call_command("cluster_credential", "x", "--agent")
