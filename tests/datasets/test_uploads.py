"""Files are read whole or not at all, once, whatever dies in between."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from datasets.files import original_path
from datasets.models import Calculation, Frame, FrameDocument, Structure, Upload, UploadState
from datasets.parser import process
from datasets.selections import iterate_frames
from datasets.services import (
    dataset_create,
    dataset_withdraw,
    parsing,
    upload_cancel,
    upload_delete,
    upload_parse,
    upload_retry,
    uploads_waiting,
)
from labs.exceptions import PermissionDenied, Refused
from mlmd.formats import write_frames
from tests.datasets.factories import extxyz, make_frames, make_upload, make_version

POSCAR = (
    b"Si2\n1.0\n0 2.715 2.715\n2.715 0 2.715\n2.715 2.715 0\nSi\n2\nDirect\n0 0 0\n.25 .25 .25\n"
)


@pytest.fixture
def dataset(owner, lab):
    return dataset_create(owner=owner, lab=lab, name="Uploads")


def parse(upload: Upload) -> Upload:
    upload_parse(upload_id=upload.pk)
    upload.refresh_from_db()
    return upload


def test_an_accepted_file_is_in_the_draft_with_its_report(owner, lab, dataset):
    content = extxyz(make_frames(7))
    upload = parse(make_upload(owner, lab, content, dataset=dataset, kind="melt"))
    assert upload.state == UploadState.ACCEPTED, upload.reason
    assert upload.frames_kept == 7
    assert upload.report["format"] == "extxyz"
    dataset.refresh_from_db()
    assert dataset.frame_count == 7
    assert dataset.elements == ["Si"]
    rows = Frame.objects.filter(upload=upload)
    assert set(rows.values_list("added_in", flat=True)) == {1}
    read = list(iterate_frames(rows))
    assert [frame.energy for frame in read] == [frame.energy for frame in make_frames(7)]
    assert read[0].kind == "liquid"
    assert original_path(upload.public_id).read_bytes() == content


@pytest.mark.parametrize(
    ("file_format", "suffix"), [("deepmd", ".zip"), ("asedb", ".db"), ("aenet", ".zip")]
)
def test_archives_and_databases_come_through_the_same_door(
    owner, lab, dataset, file_format, suffix, tmp_path
):
    path = tmp_path / f"frames{suffix}"
    write_frames(make_frames(4), path, file_format)
    upload = parse(make_upload(owner, lab, path.read_bytes(), dataset=dataset))
    assert upload.state == UploadState.ACCEPTED, upload.reason
    assert upload.report["format"] == file_format
    read = list(iterate_frames(Frame.objects.filter(upload=upload)))
    assert [frame.energy for frame in read] == [frame.energy for frame in make_frames(4)]


def test_the_kind_is_given_to_frames_without_one(owner, lab, dataset):
    content = extxyz(make_frames(2, kind=""))
    upload = parse(make_upload(owner, lab, content, dataset=dataset, kind=" the  melt "))
    assert set(Frame.objects.filter(upload=upload).values_list("kind", flat=True)) == {"the melt"}


def test_reading_twice_changes_nothing(owner, lab, dataset):
    upload = make_upload(owner, lab, extxyz(make_frames(3)), dataset=dataset)
    assert upload_parse(upload_id=upload.pk) is True
    assert upload_parse(upload_id=upload.pk) is False
    assert Frame.objects.count() == 3


def test_duplicates_are_kept_and_shown(owner, lab, dataset):
    content = extxyz(make_frames(3))
    parse(make_upload(owner, lab, content, "a.xyz", dataset=dataset))
    again = parse(make_upload(owner, lab, content, "b.xyz", dataset=dataset))
    assert again.state == UploadState.ACCEPTED
    assert again.report["same_file"] == "a.xyz"
    assert again.report["duplicates"] == 3
    assert Frame.objects.count() == 6


def test_a_death_in_the_middle_leaves_nothing_visible_and_the_next_attempt_is_whole(
    owner, lab, dataset, monkeypatch
):
    monkeypatch.setattr(parsing, "CHUNK_FRAMES", 2)
    upload = make_upload(owner, lab, extxyz(make_frames(9)), dataset=dataset)
    real = parsing.read_in_child

    class Killed(BaseException):
        """What nobody catches."""

    def dies(request, heartbeat):
        for count, record in enumerate(real(request, heartbeat)):
            if count == 6:
                raise Killed
            yield record

    monkeypatch.setattr(parsing, "read_in_child", dies)
    with pytest.raises(Killed):
        upload_parse(upload_id=upload.pk)
    upload.refresh_from_db()
    assert upload.state == UploadState.PARSING
    assert Frame.objects.count() == 4
    assert not Frame.objects.visible_to(owner).exists()
    assert upload_parse(upload_id=upload.pk) is False, "the lease still runs"

    past = timezone.now() - timedelta(minutes=1)
    Upload.objects.filter(pk=upload.pk).update(lease_until=past, modified_at=past)
    assert uploads_waiting() == [upload.pk]
    assert uploads_waiting() == [], "announced once per period"
    monkeypatch.setattr(parsing, "read_in_child", real)
    assert parse(upload).state == UploadState.ACCEPTED
    assert upload.attempts == 2
    assert Frame.objects.count() == FrameDocument.objects.count() == 9


def test_a_slow_worker_cannot_write_after_a_faster_one_took_over(owner, lab, dataset, monkeypatch):
    monkeypatch.setattr(parsing, "CHUNK_FRAMES", 2)
    upload = make_upload(owner, lab, extxyz(make_frames(6)), dataset=dataset)
    real = parsing.read_in_child
    inner = []

    def overtaken(request, heartbeat):
        for count, record in enumerate(real(request, heartbeat)):
            if count == 4 and not inner:
                inner.append(True)
                Upload.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
                assert upload_parse(upload_id=upload.pk) is True
            yield record

    monkeypatch.setattr(parsing, "read_in_child", overtaken)
    upload_parse(upload_id=upload.pk)
    upload.refresh_from_db()
    assert upload.state == UploadState.ACCEPTED
    assert Frame.objects.count() == 6
    assert Frame.objects.visible_to(owner).count() == 6


def test_a_cancelled_file_leaves_nothing_and_can_be_read_again(owner, lab, dataset, monkeypatch):
    monkeypatch.setattr(parsing, "CHUNK_FRAMES", 2)
    upload = make_upload(owner, lab, extxyz(make_frames(6)), dataset=dataset)
    real = parsing.read_in_child

    def cancelled(request, heartbeat):
        for count, record in enumerate(real(request, heartbeat)):
            if count == 4:
                upload_cancel(upload=upload, actor=owner)
            yield record

    monkeypatch.setattr(parsing, "read_in_child", cancelled)
    assert parse(upload).state == UploadState.CANCELLED
    assert not Frame.objects.exists()
    assert not FrameDocument.objects.exists()
    monkeypatch.setattr(parsing, "read_in_child", real)
    upload_retry(upload=upload, actor=owner)
    assert parse(upload).state == UploadState.ACCEPTED
    with pytest.raises(Refused, match="read already"):
        upload_cancel(upload=upload, actor=owner)
    with pytest.raises(Refused, match="can't be read again"):
        upload_retry(upload=upload, actor=owner)
    with pytest.raises(Refused, match="stays listed"):
        upload_delete(upload=upload, actor=owner)


def test_a_file_that_kills_its_reader_three_times_is_given_up(owner, lab, dataset):
    upload = make_upload(owner, lab, extxyz(make_frames(1)), dataset=dataset)
    Upload.objects.filter(pk=upload.pk).update(attempts=parsing.MOST_ATTEMPTS)
    assert parse(upload).state == UploadState.FAILED
    assert "interrupted 3 times" in upload.reason


def test_a_crash_of_the_child_is_said_and_not_repeated(owner, lab, dataset, monkeypatch):
    monkeypatch.setattr(
        process, "_command", lambda request: [process.sys.executable, "-c", "raise SystemExit(9)"]
    )
    upload = parse(make_upload(owner, lab, b"x", dataset=dataset))
    assert upload.state == UploadState.FAILED
    assert "broke down" in upload.reason
    assert uploads_waiting() == []


def test_the_child_stays_within_its_memory(owner, lab, dataset, monkeypatch):
    # Everything is loaded before the limit is set, so that the limit meets the file, not Python.
    code = (
        "import sys; from datasets.parser import child;"
        "child.open_frames = lambda *a, **k: bytearray(8 << 30);"
        "sys.argv = ['child', *sys.argv[1:]]; sys.exit(child.main())"
    )
    real = process._command
    monkeypatch.setattr(
        process,
        "_command",
        lambda request: [process.sys.executable, "-c", code, *real(request)[3:]],
    )
    upload = parse(make_upload(owner, lab, b"x", dataset=dataset))
    assert upload.state == UploadState.FAILED
    assert "more memory" in upload.reason


def test_the_child_stays_within_its_time(owner, lab, dataset, monkeypatch, settings):
    settings.MLMD_PARSE_SECONDS = 3
    code = (
        "import sys; from datasets.parser import child;\n"
        "def spin(*a, **k):\n    while True: pass\n"
        "child.open_frames = spin\n"
        "sys.argv = ['child', *sys.argv[1:]]; sys.exit(child.main())"
    )
    real = process._command
    monkeypatch.setattr(
        process,
        "_command",
        lambda request: [process.sys.executable, "-c", code, *real(request)[3:]],
    )
    upload = parse(make_upload(owner, lab, b"x", dataset=dataset))
    assert upload.state == UploadState.FAILED
    assert "longer than allowed" in upload.reason


def test_the_child_sees_no_secret_of_the_site(monkeypatch):
    monkeypatch.setenv("MLMD_SECRET_KEY", "secret")
    monkeypatch.setenv("DATABASE_URL", "postgres://user:password@host/name")
    environment = process._environment()
    assert not {"MLMD_SECRET_KEY", "DATABASE_URL"} & set(environment)
    assert "PATH" in environment


def test_structures_get_a_report_each(owner, lab):
    upload = parse(make_upload(owner, lab, POSCAR, "POSCAR", visibility="private"))
    assert upload.state == UploadState.ACCEPTED, upload.reason
    structure = Structure.objects.get(upload=upload)
    assert structure.formula == "Si2"
    assert structure.space_group == "Fd-3m (227)"
    assert structure.density == pytest.approx(2.33, abs=0.01)
    assert structure.shortest_distance == pytest.approx(2.351, abs=0.001)
    assert structure.visibility == "private"
    assert structure.source_format == "poscar"


def test_overlapping_atoms_are_kept_with_a_warning(owner, lab):
    content = POSCAR.replace(b".25 .25 .25", b".01 .01 .01")
    upload = parse(make_upload(owner, lab, content, "POSCAR"))
    structure = Structure.objects.get(upload=upload)
    assert "overlap" in {w["code"] for w in structure.report["warnings"]}


def test_a_published_version_is_not_touched_by_a_later_file(owner, lab):
    version = make_version(owner, lab)
    parse(make_upload(owner, lab, extxyz(make_frames(2)), dataset=version.dataset))
    numbers = Frame.objects.filter(dataset=version.dataset).values_list("added_in", flat=True)
    assert sorted(numbers) == [1, 1, 1, 2, 2]
    assert Frame.objects.in_version(version).count() == 3


def test_a_dataset_withdrawn_meanwhile_refuses_the_file(owner, lab, dataset):
    upload = make_upload(owner, lab, extxyz(make_frames(2)), dataset=dataset)
    dataset_withdraw(dataset=dataset, actor=owner, reason="wrong")
    assert parse(upload).state == UploadState.REFUSED
    assert "withdrawn" in upload.reason
    assert not Frame.objects.exists()
    assert Calculation.objects.count() <= 1


def test_a_deleted_dataset_stops_the_reader(owner, lab, dataset):
    upload = make_upload(owner, lab, extxyz(make_frames(2)), dataset=dataset)
    Upload.objects.filter(pk=upload.pk).delete()
    assert upload_parse(upload_id=upload.pk) is False


def test_guests_send_nothing(guest, lab):
    with pytest.raises(PermissionDenied):
        make_upload(guest, lab, b"x")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"visibility": "everyone"}, "visibility"),
        ({"length_unit": "mile"}, "length unit"),
        ({"energy_unit": "calorie"}, "energy unit"),
        ({"format": "docx"}, "format"),
    ],
)
def test_choices_that_are_not_offered_are_refused(owner, lab, dataset, options, words):
    with pytest.raises(Refused, match=words):
        make_upload(owner, lab, b"x", dataset=dataset, **options)
