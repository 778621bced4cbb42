r"""Trajectories on disk: fixed-size binary records that can be read while they are written.

Layout of a ``.mtj`` file, little-endian throughout::

    8 bytes   magic  "MLMDTRJ\n"
    uint32    version, 1
    uint32    length of the JSON header
    JSON      number of atoms, pbc, names and types of the record's fields, offset of record 0
    uint8     atomic numbers, shape (N,)
    float64   reference positions, shape (N, 3), Å
    padding   to a multiple of 64 bytes
    records   all of one size; the last four bytes are the CRC-32 of those before

A record stores positions as float32 displacements from the reference (the first
frame, float64), unwrapped. Plain float32 positions lose digits with the size of the box
and with diffusion (6e-5 Å at 1000 Å); a displacement of 100 Å is still right to 4e-6 Å, far
below what any analysis resolves, at half the size of float64. Unwrapped positions make the mean
squared displacement exact however rarely frames are stored.

Whole records only are counted, and the last one must pass its checksum: what a crash
left behind is ignored by readers and cut off by the next writer.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlmd.errors import FormatError, InvalidInput

FloatArray = NDArray[np.float64]

MAGIC = b"MLMDTRJ\n"
VERSION = 1
_PREFIX = struct.Struct("<8sII")
_ALIGNMENT = 64
_MAX_HEADER = 1 << 24


@dataclass(frozen=True)
class TrajectoryFrame:
    """One stored moment.

    Args:
        step: integration step since the start of the run.
        time: fs.
        cell: rows are lattice vectors, shape (3, 3), Å.
        positions: unwrapped, shape (N, 3), Å.
        energy: potential energy, eV.
        kinetic_energy: eV.
        stage: index of the run's stage.
        velocities: shape (N, 3), Å/fs; None where not stored.
    """

    step: int
    time: float
    cell: FloatArray
    positions: FloatArray
    energy: float
    kinetic_energy: float
    stage: int = 0
    velocities: FloatArray | None = None


def _record_type(atoms: int, with_velocities: bool) -> np.dtype[Any]:
    """Return the record's layout; 8-byte fields first, so that all are aligned."""
    fields: list[tuple[str, str] | tuple[str, str, tuple[int, ...]]] = [
        ("step", "<i8"),
        ("time", "<f8"),
        ("energy", "<f8"),
        ("kinetic_energy", "<f8"),
        ("cell", "<f8", (3, 3)),
        ("stage", "<i4"),
        ("displacements", "<f4", (atoms, 3)),
    ]
    if with_velocities:
        fields.append(("velocities", "<f4", (atoms, 3)))
    used = np.dtype(fields).itemsize + 4
    padding = -used % 8
    if padding:
        fields.append(("padding", "u1", (padding,)))
    fields.append(("crc", "<u4"))
    return np.dtype(fields)


@dataclass(frozen=True)
class _Header:
    numbers: NDArray[np.uint8]
    reference: FloatArray
    pbc: tuple[bool, bool, bool]
    record: np.dtype[Any]
    offset: int


def _compose_header(
    numbers: NDArray[np.uint8],
    reference: FloatArray,
    pbc: tuple[bool, bool, bool],
    record: np.dtype[Any],
) -> bytes:
    entries = {
        "atoms": len(numbers),
        "pbc": [bool(axis) for axis in pbc],
        "fields": [
            {"name": name, "type": record[name].base.str, "shape": list(record[name].shape)}
            for name in record.names or ()
        ],
        "record_size": record.itemsize,
        "units": {"length": "Å", "time": "fs", "energy": "eV"},
    }
    text = json.dumps(entries).encode()
    body = _PREFIX.pack(MAGIC, VERSION, len(text)) + text
    body += numbers.astype("<u1").tobytes() + reference.astype("<f8").tobytes()
    return body + b"\0" * (-len(body) % _ALIGNMENT)


def _read_header(path: Path) -> _Header:
    with path.open("rb") as stream:
        prefix = stream.read(_PREFIX.size)
        if len(prefix) < _PREFIX.size or not prefix.startswith(MAGIC):
            raise FormatError(
                path.name, "no trajectory header", "a trajectory (.mtj) written by mlmd"
            )
        _, version, length = _PREFIX.unpack(prefix)
        if version != VERSION:
            raise FormatError(
                path.name,
                f"trajectory version {version}",
                f"version {VERSION}",
                "Read it with the release of mlmd that wrote it.",
            )
        try:
            entries = json.loads(stream.read(min(length, _MAX_HEADER)))
            atoms = int(entries["atoms"])
            x, y, z = (bool(axis) for axis in entries["pbc"])
            names = {field["name"] for field in entries["fields"]}
            record = _record_type(atoms, "velocities" in names)
            sizes_agree = record.itemsize == entries["record_size"]
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(path.name, f"damaged header ({error})", "a JSON header") from error
        if not sizes_agree:
            raise FormatError(
                path.name,
                f"records of {entries['record_size']} bytes",
                f"{record.itemsize} bytes for {atoms} atoms",
            )
        block = stream.read(atoms * 25)
        if len(block) < atoms * 25:
            raise FormatError(
                path.name,
                "the file ends within its header",
                f"atomic numbers and reference positions of {atoms} atoms",
                "The run was cut off before its first frame.",
            )
    numbers = np.frombuffer(block, "u1", atoms).copy()
    reference = np.frombuffer(block, "<f8", 3 * atoms, offset=atoms).reshape(atoms, 3)
    end = _PREFIX.size + length + len(block)
    return _Header(
        numbers, reference.astype(np.float64), (x, y, z), record, end + (-end % _ALIGNMENT)
    )


def _is_whole(record: bytes) -> bool:
    return zlib.crc32(record[:-4]) == int.from_bytes(record[-4:], "little")


def _count_records(path: Path, header: _Header) -> int:
    """Return how many records can be trusted."""
    size = header.record.itemsize
    count = max((path.stat().st_size - header.offset) // size, 0)
    with path.open("rb") as stream:
        # A power cut can leave the length without the content: step back to what is whole.
        while count:
            stream.seek(header.offset + (count - 1) * size)
            if _is_whole(stream.read(size)):
                break
            count -= 1
    return int(count)


class TrajectoryWriter(AbstractContextManager["TrajectoryWriter"]):
    """Appends frames to a trajectory.

    Args:
        path: the file; replaced unless ``append``.
        numbers: atomic numbers, shape (N,).
        reference: positions that displacements are stored from, shape (N, 3), Å: best the
            first frame. Ignored on ``append``: the file has its own.
        pbc: periodic along each lattice vector.
        with_velocities: whether frames bring velocities.
        append: go on with an existing file.
        last_step: on ``append``, drop frames after this step (a restart repeats them).

    Raises:
        FormatError: on ``append``, the file is no trajectory.
        InvalidInput: on ``append``, the file holds other atoms.
    """

    def __init__(
        self,
        path: str | Path,
        numbers: ArrayLike,
        reference: ArrayLike,
        pbc: tuple[bool, bool, bool] = (True, True, True),
        *,
        with_velocities: bool = False,
        append: bool = False,
        last_step: int | None = None,
    ) -> None:
        self.path = Path(path)
        if append and self.path.exists():
            self._header = self._continue(np.asarray(numbers), last_step)
        else:
            numbers_u1 = np.asarray(numbers, dtype=np.uint8)
            positions = np.asarray(reference, dtype=np.float64)
            record = _record_type(len(numbers_u1), with_velocities)
            text = _compose_header(numbers_u1, positions, pbc, record)
            self.path.write_bytes(text)
            self._header = _Header(numbers_u1, positions, pbc, record, len(text))
        # Unbuffered: a record reaches the system in one call, so readers see whole ones.
        self._stream = self.path.open("ab", buffering=0)

    def _continue(self, numbers: NDArray[Any], last_step: int | None) -> _Header:
        header = _read_header(self.path)
        if not np.array_equal(header.numbers, numbers):
            raise InvalidInput(
                self.path.name,
                f"{len(header.numbers)} atoms of another structure",
                f"the {len(numbers)} atoms of this run",
                "Use an empty directory for a new run.",
            )
        count = _count_records(self.path, header)
        if last_step is not None and count:
            records = np.memmap(self.path, header.record, "r", header.offset, (count,))
            count = int(np.searchsorted(records["step"], last_step, side="right"))
            del records
        os.truncate(self.path, header.offset + count * header.record.itemsize)
        return header

    @property
    def with_velocities(self) -> bool:
        """Whether frames must bring velocities."""
        return "velocities" in (self._header.record.names or ())

    def write(self, frame: TrajectoryFrame) -> None:
        """Append a frame; readers see it at once."""
        record = np.zeros(1, dtype=self._header.record)
        for name in ("step", "time", "energy", "kinetic_energy", "cell", "stage"):
            record[name][0] = getattr(frame, name)
        record["displacements"][0] = frame.positions - self._header.reference
        if self.with_velocities:
            if frame.velocities is None:
                raise InvalidInput(
                    f"{self.path.name}: step {frame.step}", "no velocities", "velocities"
                )
            record["velocities"][0] = frame.velocities
        content = record.tobytes()[:-4]
        self._stream.write(content + zlib.crc32(content).to_bytes(4, "little"))

    def flush(self) -> None:
        """Wait until everything is on the disk."""
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class TrajectoryReader(AbstractContextManager["TrajectoryReader"]):
    """Random access to a trajectory, memory-mapped: only what is asked for is read.

    Args:
        path: a ``.mtj`` file, finished or still growing.

    Raises:
        FormatError: no trajectory, or damaged beyond use.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FormatError(str(path), "the file doesn't exist", "a trajectory (.mtj)")
        self._header = _read_header(self.path)
        self.numbers = self._header.numbers
        self.pbc = self._header.pbc
        self._records: Any = None
        self._count = 0
        self.refresh()

    def refresh(self) -> int:
        """Look for frames written since the last call; return how many there are now."""
        self._count = _count_records(self.path, self._header)
        self._records = (
            np.memmap(self.path, self._header.record, "r", self._header.offset, (self._count,))
            if self._count
            else np.empty(0, self._header.record)
        )
        return self._count

    @property
    def has_velocities(self) -> bool:
        """Whether frames carry velocities."""
        return "velocities" in (self._header.record.names or ())

    @property
    def steps(self) -> NDArray[np.int64]:
        """Steps of all frames, shape (F,)."""
        return np.array(self._records["step"], dtype=np.int64)

    @property
    def times(self) -> FloatArray:
        """Times of all frames, shape (F,), fs."""
        return np.array(self._records["time"], dtype=np.float64)

    @property
    def cells(self) -> FloatArray:
        """Cells of all frames, shape (F, 3, 3), Å."""
        return np.array(self._records["cell"], dtype=np.float64)

    @property
    def stages(self) -> NDArray[np.int32]:
        """Stage of each frame, shape (F,)."""
        return np.array(self._records["stage"], dtype=np.int32)

    @property
    def energies(self) -> FloatArray:
        """Potential energies of all frames, shape (F,), eV."""
        return np.array(self._records["energy"], dtype=np.float64)

    def positions(
        self, frames: slice | NDArray[np.int64] = slice(None), atoms: slice = slice(None)
    ) -> FloatArray:
        """Return unwrapped positions of several frames, shape (F, N, 3), Å.

        Args:
            frames: which frames, as a slice or indices.
            atoms: which atoms; a block keeps the memory of long analyses bounded.
        """
        # The field view first: indexing whole records would read everything else too.
        displacements = self._records["displacements"][frames, atoms]
        return cast(FloatArray, displacements.astype(np.float64)) + self._header.reference[atoms]

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> TrajectoryFrame:
        if not -self._count <= index < self._count:
            raise IndexError(f"{self.path.name}: frame {index} of {self._count}")
        record = self._records[index]
        velocities = record["velocities"].astype(np.float64) if self.has_velocities else None
        return TrajectoryFrame(
            step=int(record["step"]),
            time=float(record["time"]),
            cell=np.array(record["cell"], dtype=np.float64),
            positions=self._header.reference + record["displacements"],
            energy=float(record["energy"]),
            kinetic_energy=float(record["kinetic_energy"]),
            stage=int(record["stage"]),
            velocities=velocities,
        )

    def __iter__(self) -> Iterator[TrajectoryFrame]:
        return self.frames()

    def frames(
        self, start: int = 0, stop: int | None = None, stride: int = 1
    ) -> Iterator[TrajectoryFrame]:
        """Give frames one at a time, counted as in ``range(start, stop, stride)``."""
        for index in range(*slice(start, stop, stride).indices(self._count)):
            yield self[index]

    def close(self) -> None:
        """Let go of the mapped file."""
        self._records = np.empty(0, self._header.record)
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
