"""Progress, whole files and an orderly stop."""

import io
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mlmd.errors import InvalidInput
from mlmd.runs import Progress, StopRequest, read_json, write_json_atomic


@dataclass(frozen=True)
class Point:
    x: float
    label: str


def test_json_files_hold_arrays_and_dataclasses_and_no_nan(tmp_path):
    path = tmp_path / "result.json"
    write_json_atomic(
        path, {"p": Point(float("nan"), "Å"), "a": np.arange(3), "f": np.float64(0.5)}
    )
    assert json.loads(path.read_text()) == {
        "p": {"x": None, "label": "Å"},
        "a": [0, 1, 2],
        "f": 0.5,
    }


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "result.json"
    write_json_atomic(path, {"step": 1})
    with pytest.raises(TypeError):
        write_json_atomic(path, {"step": object()})
    assert read_json(path) == {"step": 1}
    assert [item.name for item in tmp_path.iterdir()] == ["result.json"]


@pytest.mark.parametrize("content", ["", "{", "[1]"])
def test_a_broken_json_file_is_named(tmp_path, content):
    path = tmp_path / "spec.json"
    path.write_text(content)
    with pytest.raises(InvalidInput, match=r"spec\.json"):
        read_json(path)


def test_progress_is_written_for_programs_and_people(tmp_path):
    stream = io.StringIO()
    progress = Progress(tmp_path, stream, interval=0)
    progress.report(0.0, "start", stage="heat")
    progress.report(0.25, "heating", stage="heat", step=5)
    content = json.loads((tmp_path / "progress.json").read_text())
    assert content["fraction"] == 0.25
    assert content["step"] == 5
    assert content["eta_s"] >= 0
    assert "25.0 %  heating" in stream.getvalue()


def test_progress_skips_reports_that_come_too_fast_but_never_the_last(tmp_path):
    progress = Progress(tmp_path, io.StringIO(), interval=3600)
    assert progress.report(0.0, "start")
    assert not progress.report(0.5, "half")
    assert progress.report(0.6, "another stage", stage="quench")
    assert progress.report(1.0, "done")
    assert read_json(tmp_path / "progress.json")["message"] == "done"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGXCPU, 124), (signal.SIGINT, 130)]
)
def test_a_signal_becomes_a_flag_with_its_exit_code(number, code):
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
        assert stop.exit_code == code
        assert stop.stop("State saved.").exit_code == code
    assert signal.getsignal(number) == before


@pytest.fixture
def interruptible():
    """A shell that starts the tests in the background makes them deaf to interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_second_interrupt_acts_at_once(interruptible):
    with StopRequest(), pytest.raises(KeyboardInterrupt):  # noqa: PT012
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_files_are_written_beside_their_place(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        write_json_atomic(tmp_path / "missing" / "a.json", {})


def test_a_terminal_gets_one_line_that_is_drawn_over(tmp_path):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    progress = Progress(None, stream, interval=0)
    progress.report(0.5, "half")
    progress.report(1.0, "done")
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.count("\r") == 2
    assert "████████████············" in text
    assert list(tmp_path.iterdir()) == []
