"""What every long run shares: progress that others can read, whole files only, an orderly stop.

A run lives in one directory. Somebody else (a page, a job machine, a person with
``cat``) reads its files while it works, so every JSON file is replaced in one
step and never seen half-written.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self, TextIO

import numpy as np

from mlmd.errors import Cancelled, InvalidInput

PROGRESS_FILE = "progress.json"
_BAR_WIDTH = 24
EXIT_TIME_LIMIT = 124  # as timeout(1) says it
_EXIT_CODES = {
    signal.SIGTERM: 128 + signal.SIGTERM,
    signal.SIGINT: 128 + signal.SIGINT,
    signal.SIGXCPU: EXIT_TIME_LIMIT,  # what schedulers send at the end of the allowed time
}


class Stopped(Cancelled):
    """The run was stopped by a signal after saving its state.

    Args:
        exit_code: what the process should exit with: 124 time limit, 143 terminated,
            130 interrupted from the keyboard.
        message: how far it came and how to go on.
    """

    def __init__(self, exit_code: int, message: str) -> None:
        self.exit_code = exit_code
        super().__init__(message)


def to_jsonable(value: Any) -> Any:
    """Return the value in JSON's own types.

    Dataclasses become objects, NumPy arrays become lists, paths become text. JSON has
    no infinity and no NaN: both become null, so that browsers can read every file.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return to_jsonable(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): to_jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_jsonable(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return to_jsonable(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    return value


def write_bytes_atomic(path: str | Path, content: bytes) -> None:
    """Replace a file in one step: readers see the old content or the new, nothing between.

    The content reaches the disk before the name does, so a power cut can't leave
    an empty file under the right name.
    """
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_json_atomic(path: str | Path, obj: Any) -> None:
    """Replace a JSON file in one step; see `to_jsonable` for what may be in it."""
    text = json.dumps(to_jsonable(obj), ensure_ascii=False, allow_nan=False, indent=1)
    write_bytes_atomic(path, (text + "\n").encode())


def read_json(path: str | Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InvalidInput: the file is missing, is no JSON, or holds something other than an object.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidInput(
            str(path), "the file doesn't exist", "a JSON file", "Check the run directory."
        ) from None
    except (ValueError, OSError) as error:
        raise InvalidInput(str(path), f"not readable as JSON ({error})", "a JSON object") from error
    if not isinstance(content, dict):
        raise InvalidInput(str(path), f"a JSON {type(content).__name__}", "a JSON object")
    return content


class Progress:
    """How far a run is: in ``progress.json`` for programs and on a stream for people.

    Args:
        run_dir: the run's directory; None writes no file.
        stream: takes one line per report; None means standard output.
        interval: the least time between two reports, s. The first, the last
            (``fraction`` 1) and those with another ``stage`` always pass.
    """

    def __init__(
        self, run_dir: str | Path | None, stream: TextIO | None = None, interval: float = 0.5
    ) -> None:
        self.path = None if run_dir is None else Path(run_dir) / PROGRESS_FILE
        self.stream = sys.stdout if stream is None else stream
        self.interval = interval
        self._start = time.monotonic()
        self._first_fraction: float | None = None
        self._last_time = -math.inf
        self._last_stage: object = None

    def report(self, fraction: float, message: str, **extra: Any) -> bool:
        """Say how far the run is.

        Args:
            fraction: done part of the work, 0 to 1; other values are cut to that range.
            message: one line for people.
            **extra: further entries of the file, for example ``epoch=3, epochs=100``.
                ``eta_s``, the seconds left, is estimated where not given.

        Returns:
            Whether it was written, or passed over because the last report is too fresh.
        """
        now = time.monotonic()
        fraction = min(max(fraction, 0.0), 1.0) if math.isfinite(fraction) else 0.0
        is_last = fraction >= 1
        if (
            now - self._last_time < self.interval
            and not is_last
            and extra.get("stage") == self._last_stage
        ):
            return False
        self._last_time, self._last_stage = now, extra.get("stage")
        if self._first_fraction is None:
            self._first_fraction, self._start = fraction, now
        eta = extra.pop("eta_s", None)
        if eta is None:
            eta = self._seconds_left(fraction, now)
        if self.path is not None:
            content = {"fraction": fraction, "message": message, "eta_s": eta}
            write_json_atomic(self.path, content | {"updated": time.time()} | extra)
        left = "" if eta is None or is_last else f"  ({eta:.0f} s left)"
        self._print(fraction, f"{message}{left}", is_last)
        return True

    def _print(self, fraction: float, text: str, is_last: bool) -> None:
        line = f"{100 * fraction:5.1f} %  {text}"
        if not self.stream.isatty():
            print(line, file=self.stream, flush=True)
            return
        # On a terminal one line is drawn over and over.
        bar = "█" * round(fraction * _BAR_WIDTH)
        end = "\n" if is_last else ""
        print(f"\r{bar:·<{_BAR_WIDTH}} {line}\033[K", end=end, file=self.stream, flush=True)

    def _seconds_left(self, fraction: float, now: float) -> float | None:
        if fraction >= 1:
            return 0.0
        done = fraction - (self._first_fraction or 0.0)
        if done <= 0:
            return None
        return (now - self._start) * (1 - fraction) / done


class StopRequest(AbstractContextManager["StopRequest"]):
    """Turns SIGTERM, SIGXCPU and SIGINT into a flag that a run looks at between its steps.

    Within the ``with`` block the first signal only sets the flag; a second one of
    the same kind acts as it would have before, for those who can't wait. Outside of the
    main thread Python can't take signals: there the flag is set by `request` only.
    """

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether the run should save its state and end."""
        return self.signal_number is not None

    @property
    def exit_code(self) -> int:
        """What the process should exit with; 0 where nothing was requested."""
        if self.signal_number is None:
            return 0
        return _EXIT_CODES[signal.Signals(self.signal_number)]

    @property
    def reason(self) -> str:
        """Why the run ends, in words; empty where nothing was requested."""
        if self.signal_number is None:
            return ""
        if self.signal_number == signal.SIGXCPU:
            return "the allowed time is over"
        return f"it was asked to stop ({signal.Signals(self.signal_number).name})"

    def request(self, signal_number: int = signal.SIGTERM) -> None:
        """Set the flag as if the signal had come."""
        self.signal_number = signal_number

    def stop(self, message: str) -> Stopped:
        """Return the exception to raise once everything is saved."""
        return Stopped(self.exit_code, f"{message} The run ended early: {self.reason}.")

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _EXIT_CODES:
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number in list(self._before):
            self._restore(number)

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.signal_number = number
        self._restore(number)

    def _restore(self, number: int) -> None:
        before = self._before.pop(number, None)
        # None: the handler was set outside of Python and can't be put back from here.
        signal.signal(number, signal.SIG_DFL if before is None else before)
