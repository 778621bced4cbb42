"""Many small files in one go, over every transport."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace

import pytest

from jobs.errors import ClusterTrouble, TransferDamaged
from jobs.transports import TRANSPORTS, Answer, RemoteFile, connection
from jobs.transports import ssh_bundles as bundles
from tests.jobs.factories import make_cluster

AWKWARD = "it's $HOME `x` 日本\n\\.txt"


@pytest.fixture(params=sorted(TRANSPORTS))
def transport(request, db):
    local = request.param == "local"
    cluster = make_cluster() if local else request.getfixturevalue("ssh_cluster")
    with connection(cluster) as transport:
        yield transport


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    contents = {
        "empty": b"",
        "deep/er/small": os.urandom(1000),
        "large": os.urandom(3 * bundles.SMALL),
        AWKWARD: b"awkward",
        "-rf": b"like an option",
        **{f"many/{number}": str(number).encode() for number in range(300)},
    }
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "deep/er/small").chmod(0o755)
    return folder, contents


def below(folder) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_folder_travels_there_and_back_unchanged(transport, source, tmp_path):
    folder, contents = source
    far, back = tmp_path / "far" / "run", tmp_path / "back"
    transport.put_all(folder, list(contents), str(far))
    assert below(far) == contents
    assert os.access(far / "deep/er/small", os.X_OK)
    assert not os.access(far / "many/1", os.X_OK)
    files = transport.survey([str(far)])[str(far)]
    receipts = transport.get_all(str(far), files, back)
    assert below(back) == contents
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    assert {name: receipt.sha256 for name, receipt in receipts.items()} == sums
    times = {file.path: file.modified_ns for file in files}
    assert (back / "many/7").stat().st_mtime_ns == pytest.approx(times["many/7"], abs=1000)


def test_copying_again_repairs_what_a_killed_copy_has_left(transport, source, tmp_path):
    folder, contents = source
    names = [name for name in contents if name != "large"]
    far = tmp_path / "far" / "run"
    far.mkdir(parents=True)
    (far / "empty").write_bytes(b"half")
    if transport.__class__.__name__ == "SshTransport":
        (far / ".stage-0123").mkdir()
        (far / ".stage-0123" / "half").write_bytes(b"half")
        (far / ".many.0123.part").write_bytes(b"half")
    transport.put_all(folder, names, str(far))
    assert below(far) == {name: contents[name] for name in names}


def test_a_full_disk_is_trouble_and_leaves_nothing(transport, source, tmp_path):
    folder, contents = source
    (tmp_path / "far").write_text("a file where the folder should be")
    with pytest.raises(ClusterTrouble):
        transport.put_all(folder, list(contents), str(tmp_path / "far" / "run"))


def test_beginnings_of_files_come_in_one_answer(transport, source):
    folder, contents = source
    asked = {f"{folder}/{name}": 500 for name in contents} | {f"{folder}/absent": 10}
    assert transport.read_all(asked) == {
        f"{folder}/{name}": content[:500] for name, content in contents.items()
    }


def test_a_file_that_goes_away_is_trouble(transport, source, tmp_path):
    folder, _contents = source
    gone = [RemoteFile("absent", 3, 0), RemoteFile("empty", 0, 0)]
    with pytest.raises(ClusterTrouble):
        transport.get_all(str(folder), gone, tmp_path / "back")


def test_a_changed_file_is_noticed_and_not_kept(source, tmp_path):
    folder, contents = source
    files = {"many/1": RemoteFile("many/1", 1, 0)}
    good = hashlib.sha256(contents["many/1"]).hexdigest()
    stream = bundles.pack(folder, ["many/1"])
    assert bundles.unpack(f"{good}  x\n--\n".encode() + stream, files, tmp_path / "back")
    with pytest.raises(TransferDamaged):
        bundles.unpack(b"0" * 64 + b"  x\n--\n" + stream, files, tmp_path / "other")
    assert not below(tmp_path / "other")


@pytest.mark.parametrize("cut", [0, 40, 70, 700])
def test_a_stream_that_is_cut_off_is_trouble(source, tmp_path, cut):
    folder, contents = source
    good = hashlib.sha256(contents["large"]).hexdigest()
    out = f"{good}  x\n--\n".encode() + bundles.pack(folder, ["large"])
    with pytest.raises(ClusterTrouble):
        bundles.unpack(out[:cut], {"large": RemoteFile("large", 1, 0)}, tmp_path / "back")
    with pytest.raises(ClusterTrouble, match="cut off"):
        bundles.parse_read("Fabc\n", ["one", "two"])


def test_groups_hold_everything_once_and_stay_small():
    sizes = [(f"{'x' * 200}{number}", 100_000) for number in range(1000)]
    groups = list(bundles.bundles(sizes))
    assert [name for group in groups for name in group] == [name for name, _size in sizes]
    assert max(len(group) for group in groups) * 100_000 <= bundles.BUNDLE
    assert list(bundles.bundles([])) == []


def test_answers_of_several_submissions_are_told_apart():
    from jobs.submission import parse_answers

    out = "17\n\n=answer aa 0\n\n=answer bb 75\nhalf"
    err = "\n=answer aa 0\nqueue: not there\n\n=answer bb 75\n"
    answers = parse_answers(Answer(0, out, err))
    assert answers["aa"] == Answer(0, "17\n", "")
    assert answers["bb"] == replace(answers["bb"], code=75, err="queue: not there\n")
    assert set(answers) == {"aa", "bb"}
