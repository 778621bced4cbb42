"""The folder broker under many writers and readers at once."""

import json
import threading
import time
from multiprocessing import get_context

import pytest
from kombu import Connection

from portal import folder_broker
from portal.folder_broker import write_whole

MESSAGES, WRITERS = 150, 3


@pytest.fixture
def options(tmp_path):
    for name in ("messages", "processed", "control"):
        (tmp_path / name).mkdir()
    return {
        "data_folder_in": str(tmp_path / "messages"),
        "data_folder_out": str(tmp_path / "messages"),
        "processed_folder": str(tmp_path / "processed"),
        "control_folder": str(tmp_path / "control"),
        "polling_interval": 0.001,
    }


def connect(options):
    folder_broker.install()
    return Connection("filesystem://", transport_options=options)


def write(options, number):
    with connect(options) as connection, connection.SimpleQueue("work") as queue:
        for k in range(MESSAGES):
            # Long enough that a write takes several system calls.
            queue.put({"from": number, "k": k, "filling": "x" * 20_000})


def test_no_reader_ever_sees_a_part_of_a_message(options):
    writers = [
        get_context("spawn").Process(target=write, args=(options, n)) for n in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    seen, errors = [], []
    lock = threading.Lock()
    total, deadline = WRITERS * MESSAGES, time.monotonic() + 60

    def read():
        try:
            with connect(options) as connection, connection.SimpleQueue("work") as queue:
                while len(seen) < total and time.monotonic() < deadline:
                    try:
                        message = queue.get(timeout=0.2)
                    except queue.Empty:
                        continue
                    with lock:
                        seen.append((message.payload["from"], message.payload["k"]))
                    message.ack()
        except Exception as error:  # noqa: BLE001 - any is a failure of the test
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for worker in (*writers, *readers):
        worker.join()
    assert not errors
    assert sorted(seen) == [(n, k) for n in range(WRITERS) for k in range(MESSAGES)]


def test_the_first_table_of_an_exchange_is_never_overwritten(tmp_path):
    path = tmp_path / "a.exchange"
    write_whole(path, [1], anew=True)
    with pytest.raises(FileExistsError):
        write_whole(path, [2], anew=True)
    assert json.loads(path.read_text()) == [1]
    assert [p.name for p in tmp_path.iterdir()] == ["a.exchange"]
