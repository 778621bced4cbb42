"""Reads one uploaded file within limits and writes records to standard output.

Runs as ``python -m datasets.parser.child``; needs no Django, no database and no network, so
that whatever a file does to it harms nothing else.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import FrameType

from datasets.packing import calculation_digest
from datasets.parser.records import (
    Record,
    RecordKind,
    frame_record,
    packed_frame,
    write_record,
)
from datasets.parser.structures import structure_record
from mlmd.documents import calculation_to_document
from mlmd.errors import InvalidInput
from mlmd.formats import FrameFormat, Issue, Limits, Severity, open_frames
from mlmd.formats.source import Source
from mlmd.formats.structures import detect_structure, read_structures

MOST_STRUCTURES = 100
MOST_ATOMS = 2_000_000  # in one frame: the limit of what pages and stores take
_KINDLESS = ""


class OutOfTime(Exception):
    """The limit of processor time is reached."""


def main() -> int:
    """Read the file named on the command line; the last record says how it ended."""
    arguments = _arguments()
    out = sys.stdout.buffer
    # Whatever a library prints must not mix with the records.
    sys.stdout = sys.stderr
    _limit(arguments)
    try:
        records = _structures(arguments) if arguments.target == "structures" else _frames(arguments)
        for record in records:
            write_record(out, record)
    except InvalidInput as error:
        write_record(out, _refusal(error))
    except MemoryError:
        write_record(out, Record(RecordKind.EXHAUSTED, {"limit": "memory"}))
    except OutOfTime:
        write_record(out, Record(RecordKind.EXHAUSTED, {"limit": "time"}))
    out.flush()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("--target", choices=("frames", "structures"), required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--format", default="")
    parser.add_argument("--kind", default=_KINDLESS)
    parser.add_argument("--length-unit", default="")
    parser.add_argument("--energy-unit", default="")
    parser.add_argument("--memory", type=int, required=True, help="bytes")
    parser.add_argument("--seconds", type=int, required=True, help="of processor time")
    parser.add_argument("--expanded", type=int, required=True, help="bytes after decompression")
    return parser.parse_args()


def _limit(arguments: argparse.Namespace) -> None:
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_AS, (arguments.memory, arguments.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # It only reads: a file that it could be made to write stays small.
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 20, 16 << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (arguments.seconds, arguments.seconds + 5))
    signal.signal(signal.SIGXCPU, _on_time)


def _on_time(number: int, stack: FrameType | None) -> None:
    raise OutOfTime


def _frames(arguments: argparse.Namespace) -> Iterator[Record]:
    reader = open_frames(
        arguments.path,
        arguments.format or None,
        arguments.name,
        length_unit=arguments.length_unit or None,
        energy_unit=arguments.energy_unit or None,
        limits=Limits(decompressed_bytes=arguments.expanded, atoms=MOST_ATOMS),
    )
    known: set[str] = set()
    started, kept = time.monotonic(), 0
    for frame in reader:
        if arguments.kind and not frame.kind:
            frame = replace(frame, kind=arguments.kind)
        digest = calculation_digest(frame.calculation)
        if digest not in known:
            known.add(digest)
            document = calculation_to_document(frame.calculation)
            yield Record(RecordKind.CALCULATION, {"digest": digest, "document": document})
        yield frame_record(packed_frame(frame))
        kept += 1
    yield _report(reader.format, reader.issues, kept, time.monotonic() - started)


def _structures(arguments: argparse.Namespace) -> Iterator[Record]:
    started = time.monotonic()
    limits = Limits(decompressed_bytes=arguments.expanded, atoms=MOST_ATOMS)
    found = read_structures(arguments.path, arguments.format or None, arguments.name, limits=limits)
    for atoms in found[:MOST_STRUCTURES]:
        yield structure_record(atoms)
    issues = []
    if len(found) > MOST_STRUCTURES:
        issues.append(_too_many(arguments.name, len(found)))
    kept = min(len(found), MOST_STRUCTURES)
    with Source(arguments.path, arguments.name, limits) as source:
        detected = arguments.format or detect_structure(source.head()) or ""
    yield _report(detected, issues, kept, time.monotonic() - started)


def _report(
    file_format: FrameFormat | str, issues: list[Issue], kept: int, seconds: float
) -> Record:
    values = {
        "format": str(file_format),
        "issues": [asdict(issue) for issue in issues],
        "kept": kept,
        "seconds": round(seconds, 3),
    }
    return Record(RecordKind.REPORT, values)


def _refusal(error: InvalidInput) -> Record:
    issue = {
        "severity": "refused",
        "where": error.where,
        "found": error.found,
        "expected": error.expected,
        "action": error.action,
    }
    return Record(RecordKind.REFUSED, {"issues": [issue], "reason": str(error)})


def _too_many(name: str, count: int) -> Issue:
    return Issue(
        Severity.WARNING,
        name,
        f"{count} structures",
        f"at most {MOST_STRUCTURES} in one file",
        f"The first {MOST_STRUCTURES} were kept. Upload trajectories as teacher data.",
    )


if __name__ == "__main__":
    # Limits of memory count reserved address space: each further thread would reserve more.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    sys.exit(main())
