"""Files that are made once: by several at a time, after a crash, without room."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from itertools import islice

import pytest

from datasets.kept_files import GrowingFile, WholeFile, make_room

PIECES = [bytes([65 + i]) * (1000 + i) for i in range(12)]
WHOLE = b"".join(PIECES)
SHA256 = hashlib.sha256(WHOLE).hexdigest()


class Source:
    """Gives the pieces, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.made: list[int] = []

    def __call__(self, after: int) -> Iterator[tuple[bytes, int]]:
        self.asked.append(after)
        for number in range(after, len(PIECES)):
            self.made.append(number)
            yield PIECES[number], number + 1


def growing(source, name="a" * 64) -> GrowingFile:
    return GrowingFile(name, source)


def test_a_file_is_sent_while_it_is_made_and_then_kept():
    source = Source()
    file = growing(source)
    assert file.facts() is None
    stream = file.stream()
    assert next(stream) == PIECES[0]
    assert source.made == [0]
    assert b"".join([PIECES[0], *stream]) == WHOLE
    facts = file.facts()
    assert (facts.size, facts.sha256) == (len(WHOLE), SHA256)
    assert b"".join(growing(source).stream()) == WHOLE
    assert b"".join(file.read(1500, 2500)) == WHOLE[1500:2500]
    assert source.asked == [0]


def test_who_comes_next_goes_on_where_another_stopped():
    source = Source()
    first = growing(source).stream()
    assert b"".join(islice(first, 5)) == b"".join(PIECES[:5])
    first.close()
    assert growing(source).finish().sha256 == SHA256
    assert source.asked == [0, 5]
    assert source.made == list(range(12))


def test_readers_side_by_side_share_the_work():
    source = Source()
    streams = [growing(source).stream() for _ in range(3)]
    got = [b"", b"", b""]
    for turn in range(100):
        who = (turn * 7 + turn // 3) % 3
        got[who] += next(streams[who], b"")
    for who, stream in enumerate(streams):
        got[who] += b"".join(stream)
    assert got == [WHOLE] * 3
    assert source.made.count(0) == 1
    assert growing(source).facts().sha256 == SHA256


def test_threads_that_all_want_the_end_make_it_once():
    source, found = Source(), []
    threads = [
        threading.Thread(target=lambda: found.append(growing(source).finish())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [facts.sha256 for facts in found] == [SHA256] * 4


def test_bytes_of_one_who_died_are_written_again():
    source = Source()
    file = growing(source)
    list(islice(file.stream(), 3))
    with file._beside("part").open("ab") as part:
        part.write(b"half a piece that no state tells of")
    assert b"".join(growing(source).stream()) == WHOLE


def test_a_file_larger_than_all_room_is_still_sent_whole(settings, caplog):
    settings.MLMD_DOWNLOADS_BYTES = 5000
    file = growing(Source())
    assert b"".join(file.stream()) == WHOLE
    assert "larger than" in caplog.text
    assert file.facts() is None
    assert file.finish() is None
    assert not file._beside("part").exists()


def test_a_full_disk_in_the_middle_loses_nothing(monkeypatch):
    file, append = growing(Source()), GrowingFile._append

    def full(self, content, after):
        if after > 4:
            raise OSError(28, "No space left on device")
        append(self, content, after)

    monkeypatch.setattr(GrowingFile, "_append", full)
    late = growing(Source()).stream()
    beginning = next(late)
    assert b"".join(file.stream()) == WHOLE
    monkeypatch.undo()
    assert beginning + b"".join(late) == WHOLE


def test_no_folder_to_write_is_no_reason_to_send_nothing(settings):
    settings.DOWNLOADS_DIR.write_text("a file where the folder should be")
    assert b"".join(growing(Source()).stream()) == WHOLE


def test_the_least_used_files_make_room(settings):
    import os

    names = [letter * 64 for letter in "bcd"]
    files = [growing(Source(), name) for name in names]
    for age, file in enumerate(files):
        file.finish()
        os.utime(file.path, (1_000_000 + age, 1_000_000 + age))
    assert files[0].facts()  # asked for just now
    settings.MLMD_DOWNLOADS_BYTES = 2 * len(WHOLE)
    make_room(keep=files[2].path)
    assert [file.facts() is not None for file in files] == [True, False, True]


def test_a_program_writes_a_whole_file_once():
    written = []

    def write(path):
        written.append(path.suffix)
        path.write_bytes(WHOLE)

    file = WholeFile("e" * 64, write, ".zip")
    assert file.finish().sha256 == file.finish().sha256 == SHA256
    assert written == [".zip"]


def test_a_writer_that_fails_leaves_nothing():
    def write(path):
        path.write_bytes(b"half")
        raise ValueError("a frame that this format can't hold")

    file = WholeFile("f" * 64, write, ".db")
    with pytest.raises(ValueError, match="can't hold"):
        file.finish()
    assert file.facts() is None
    assert [path.suffix for path in file.path.parent.iterdir()] == [".lock"]


def test_facts_that_cannot_be_read_count_as_none():
    file = growing(Source())
    file.finish()
    file._beside("facts").write_text(json.dumps({"size": 1})[:5])
    assert file.facts() is None
    assert file.finish().sha256 == SHA256
