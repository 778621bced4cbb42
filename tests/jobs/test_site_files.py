"""The site's copy of a run's files."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from jobs.clusters import run_folder
from jobs.files import tail
from jobs.kinds import kind_of, register
from jobs.live import refresh
from jobs.models import Job
from jobs.transports import RemoteFile
from jobs.transports.local import LocalTransport
from mlmd.errors import InvalidInput
from tests.jobs.factories import make_job


@pytest.mark.parametrize(
    ("content", "size", "expected"),
    [
        ("", 10, ""),
        ("one\ntwo\n", 100, "one\ntwo\n"),
        ("one\ntwo\n", 4, "two\n"),
        ("one\ntwo\n", 5, "two\n"),
        ("one\ntwo\n", 3, ""),
        (" 10 %\r 20 %\r 30 %\n", 100, " 30 %\n"),
        ("50 %\r\n", 100, "50 %\n"),
    ],
)
def test_the_tail_shows_whole_lines_as_they_would_be_seen(tmp_path, content, size, expected):
    (tmp_path / "log").write_bytes(content.encode())
    assert tail(tmp_path / "log", size) == expected


def test_bytes_that_are_no_text_are_shown_as_such(tmp_path):
    (tmp_path / "log").write_bytes(b"\xff\xfe ok\n")
    assert tail(tmp_path / "log").endswith(" ok\n")


@pytest.fixture
def job(owner, lab, cluster):
    return make_job(owner, lab, launch={"live": ["thermo.csv"]})


@pytest.fixture
def far(job, settings):
    folder = settings.LOCAL_CLUSTER_DIR
    os.makedirs(run_folder(job))
    return folder / os.path.basename(run_folder(job))


def listed(far) -> dict[str, tuple[RemoteFile, ...]]:
    return dict(LocalTransport().survey([str(far)]))


def test_only_live_files_are_copied_and_only_when_they_changed(job, far, settings, monkeypatch):
    for name in ("thermo.csv", "job.log", "huge.bin"):
        (far / name).write_text(name)
    copied: list[str] = []
    real = LocalTransport.read_all
    monkeypatch.setattr(
        LocalTransport,
        "read_all",
        lambda self, sources: (
            copied.extend(os.path.basename(path) for path in sources) or real(self, sources)
        ),
    )
    refresh([job], listed(far), LocalTransport())
    refresh([job], listed(far), LocalTransport())
    assert sorted(copied) == ["job.log", "thermo.csv"]
    (far / "thermo.csv").write_text("thermo.csv and more")
    refresh([job], listed(far), LocalTransport())
    assert copied.count("thermo.csv") == 2
    assert (settings.JOBS_DIR / str(job.public_id) / "thermo.csv").read_text().endswith("more")


def test_a_large_file_is_not_copied_each_time(job, far, settings):
    (far / "thermo.csv").write_bytes(b"x" * 20_000_000)
    refresh([job], listed(far), LocalTransport())
    (far / "thermo.csv").write_bytes(b"y" * 20_000_001)
    refresh([job], listed(far), LocalTransport())
    assert (settings.JOBS_DIR / str(job.public_id) / "thermo.csv").stat().st_size == 20_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"fraction": 0.5, "eta_s": NaN}', {"fraction": 0.5, "eta_s": None}),
        ('{"fraction": 0.', {}),
        ("[1, 2]", {}),
    ],
)
def test_progress_is_taken_only_when_it_makes_sense(job, far, text, expected):
    (far / "progress.json").write_text(text)
    refresh([job], listed(far), LocalTransport())
    assert Job.objects.get(pk=job.pk).progress == expected


def test_a_live_file_that_vanishes_is_no_trouble(job, far, settings):
    (far / "thermo.csv").write_text("x")
    files = listed(far)
    (far / "thermo.csv").unlink()
    refresh([job], files, LocalTransport())
    assert not (settings.JOBS_DIR / str(job.public_id) / "thermo.csv").exists()


def test_a_kind_reads_progress_where_its_program_writes_none(job, far, monkeypatch):
    def read(job, folder):
        words = (folder / "thermo.csv").read_text()
        if words == "damaged":
            raise InvalidInput("thermo.csv", words, "a number")
        return {"fraction": float(words), "message": f"{words} of 1", "eta_s": None}

    register(replace(kind_of(job.kind), progress=read))
    try:
        for words in ("0.25", "damaged"):
            (far / "thermo.csv").write_text(words)
            refresh([job], listed(far), LocalTransport())
            assert Job.objects.get(pk=job.pk).progress["fraction"] == 0.25
    finally:
        register(replace(kind_of(job.kind), progress=None))
