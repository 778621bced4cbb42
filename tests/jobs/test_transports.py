"""The contract of every transport."""

from __future__ import annotations

import hashlib
import os
import threading
import time

import pytest

from jobs.errors import ClusterTrouble
from jobs.models import Cluster
from jobs.transports import TRANSPORTS, RemoteFile, connection

AWKWARD = 'it\'s a "file" $HOME 日本\n.txt'


@pytest.fixture(params=sorted(TRANSPORTS))
def transport(request, db):
    if request.param == "ssh":
        cluster = request.getfixturevalue("ssh_cluster")
    else:
        cluster = Cluster(name="any", transport=request.param)
    with connection(cluster) as transport:
        yield transport


@pytest.fixture
def far(tmp_path):
    folder = tmp_path / "far"
    folder.mkdir()
    return folder


def test_a_command_answers_with_status_output_and_errors(transport):
    answer = transport.run("echo out; echo err >&2; exit 3")
    assert (answer.code, answer.out, answer.err) == (3, "out\n", "err\n")


def test_a_command_that_hangs_is_given_up(transport):
    begin = time.monotonic()
    with pytest.raises(ClusterTrouble, match="no answer within"):
        transport.run("sleep 30", timeout=0.3)
    assert time.monotonic() - begin < 5


def test_a_command_sees_none_of_the_sites_secrets(transport, monkeypatch):
    monkeypatch.setenv("MLMD_SECRET_KEY", "very secret")
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    assert "secret" not in transport.run("env").out


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_file_travels_there_and_back_unchanged(transport, far, tmp_path, size):
    content = os.urandom(size)
    source, back = tmp_path / "source", tmp_path / "near" / AWKWARD
    source.write_bytes(content)
    target = f"{far}/deep/folder/{AWKWARD}"
    sent = transport.put(source, target)
    received = transport.get(target, back)
    assert back.read_bytes() == content
    assert sent == received
    assert received.sha256 == hashlib.sha256(content).hexdigest()
    assert received.size == size
    assert list(tmp_path.rglob("*.part")) == []


def test_a_file_that_changes_on_the_way_is_not_taken(transport, far, tmp_path, monkeypatch):
    (far / "growing").write_bytes(b"x" * 100)
    real = hashlib.file_digest

    def other_digest(stream, name):
        real(stream, name)
        return hashlib.sha256(b"something else")

    monkeypatch.setattr(hashlib, "file_digest", other_digest)
    with pytest.raises(ClusterTrouble, match="arrived"):
        transport.get(f"{far}/growing", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    assert list(tmp_path.rglob("*.part")) == []


def test_a_missing_file_is_trouble_not_an_empty_one(transport, far, tmp_path):
    with pytest.raises(ClusterTrouble):
        transport.get(f"{far}/nothing", tmp_path / "copy")
    with pytest.raises(ClusterTrouble):
        transport.read(f"{far}/nothing", 10)
    assert not (tmp_path / "copy").exists()


def test_a_survey_lists_files_of_several_folders_and_leaves_missing_ones_out(transport, far):
    for folder in ("one", "two"):
        (far / folder / "sub").mkdir(parents=True)
        (far / folder / "sub" / "file").write_text(folder)
    (far / "one" / "link").symlink_to("/etc/passwd")
    found = transport.survey([f"{far}/one", f"{far}/two", f"{far}/three"])
    assert set(found) == {f"{far}/one", f"{far}/two"}
    assert [(file.path, file.size) for file in found[f"{far}/one"]] == [("sub/file", 3)]


def test_a_snapshot_of_a_growing_file_is_its_beginning(transport, far, tmp_path):
    (far / "log").write_text("first\nsecond\n")
    file = RemoteFile("log", 6, 1_700_000_000_123_456_789)
    transport.snapshot(f"{far}/log", file, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "first\n"
    assert (tmp_path / "copy").stat().st_mtime_ns // 1000 == 1_700_000_000_123_456


def test_the_tail_is_the_end(transport, far):
    (far / "log").write_text("abcdef")
    assert transport.read_tail(f"{far}/log", 3) == b"def"
    assert transport.read_tail(f"{far}/log", 100) == b"abcdef"
    assert transport.read(f"{far}/log", 2) == b"ab"


def test_removing_a_folder_twice_is_no_error(transport, far):
    (far / "run" / "deep").mkdir(parents=True)
    transport.remove_folder(f"{far}/run")
    transport.remove_folder(f"{far}/run")
    assert not (far / "run").exists()


def test_two_copies_at_once_leave_one_whole_file(transport, far, tmp_path):
    content = os.urandom(2_000_000)
    (far / "big").write_bytes(content)
    targets = [tmp_path / "copies" / str(number) for number in range(4)]
    threads = [threading.Thread(target=transport.get, args=(f"{far}/big", t)) for t in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(target.read_bytes() == content for target in targets)
