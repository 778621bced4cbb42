"""dpdata's ``deepmd/npy``: systems of ``type.raw``, ``type_map.raw`` and ``set.*/*.npy``.

Å, eV and eV/Å. ``virial`` is in eV and positive in compression: −stress × volume
(dpdata takes VASP's kB stress times the volume). ``deepmd/npy/mixed``, where atoms
of one system change from frame to frame, is read too.

Source: dpdata, formats deepmd/comp and deepmd/mixed; DeePMD-kit manual, "Data conversion".
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from mlmd.elements import atomic_number
from mlmd.errors import FormatError, HostileInput
from mlmd.formats.bundle import Buffer, FolderSource, members
from mlmd.formats.issues import IssueLog
from mlmd.formats.source import Source
from mlmd.frame import Calculation, FloatArray, Frame

_WANTED = ("coord", "box", "energy", "force", "virial", "real_atom_types")
# Labels of DeePMD that a frame has no place for.
_UNUSED = frozenset(
    ("atom_ener", "dipole", "polarizability", "atomic_dipole", "fparam", "aparam", "hessian", "dos")
)
MOST_HELD = 2 << 30  # bytes of one set, which have to be in memory together
_LONGEST_TEXT = 128 << 20


@dataclass
class _System:
    types: str | None = None
    type_map: list[str] | None = None
    is_periodic: bool = True
    sets: dict[str, set[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Set:
    """Checked arrays of one set; F frames of N atoms."""

    numbers: NDArray[np.uint8]  # (F, N), 0 for a place that is empty
    coord: FloatArray  # (F, N, 3)
    box: FloatArray | None  # (F, 3, 3)
    energy: FloatArray | None  # (F,)
    force: FloatArray | None  # (F, N, 3)
    virial: FloatArray | None  # (F, 3, 3)


def read_deepmd(source: Source, log: IssueLog) -> Iterator[tuple[str, Frame]]:
    """Yield (place, frame) of every system and set; damaged sets go to ``log``.

    Args:
        source: folder, .zip or .tar with one or many systems at any depth.
        log: takes the issues.

    Raises:
        FormatError: no system inside, or a damaged archive.
        HostileInput: refused for safety.
    """
    systems = _index(source, log)
    calculation = Calculation(source_name=source.name, source_sha256=source.sha256)
    counts = dict.fromkeys(systems, 0)
    for folder, name, arrays in _complete_sets(source, systems):
        place = f"{_shown(folder)}{name}"
        try:
            whole = _checked_set(systems[folder], arrays)
        except ValueError as error:
            log.lose(place, str(error), "", "The set was left out.")
            continue
        for index in range(len(whole.coord)):
            frame = _frame(whole, index, counts[folder], calculation)
            counts[folder] += 1
            yield f"{place}, frame {index + 1}", frame


def _shown(folder: PurePosixPath) -> str:
    return "" if str(folder) == "." else f"{folder}/"


def _index(source: Source, log: IssueLog) -> dict[PurePosixPath, _System]:
    """First pass: the small text files, and which arrays each set has."""
    systems: dict[PurePosixPath, _System] = {}
    unused: set[str] = set()
    for member in members(source):
        path, folder = member.path, member.path.parent
        if path.name in ("type.raw", "type_map.raw"):
            if member.size > _LONGEST_TEXT:
                raise HostileInput(
                    f"{source.name}: {path}", f"{member.size} bytes", "a list of atoms"
                )
            text = bytes(member.load()[:]).decode("utf-8", "replace")
            system = systems.setdefault(folder, _System())
            if path.name == "type.raw":
                system.types = text
            else:
                system.type_map = text.split()
        elif path.name == "nopbc":
            systems.setdefault(folder, _System()).is_periodic = False
        elif folder.name.startswith("set.") and path.suffix == ".npy":
            if path.stem in _WANTED:
                system = systems.setdefault(folder.parent, _System())
                system.sets.setdefault(folder.name, set()).add(path.stem)
            elif path.stem in _UNUSED:
                unused.add(path.stem)
    for name in sorted(unused):
        log.note("", f"{name}.npy", action="It was left out: a document has no place for it.")
    found = {folder: s for folder, s in systems.items() if s.sets}
    if not found:
        raise _nothing(source)
    return found


def _nothing(source: Source) -> FormatError:
    kind = "a folder" if isinstance(source, FolderSource) else "an archive"
    return FormatError(
        source.name,
        f"{kind} without deepmd/npy data",
        "type.raw, type_map.raw and set.*/coord.npy",
        "Other files can't be read out of archives: unpack it first.",
    )


def _complete_sets(
    source: Source, systems: dict[PurePosixPath, _System]
) -> Iterator[tuple[PurePosixPath, str, dict[str, Buffer]]]:
    """Second pass: hold the arrays of a set until the last one has come, then hand them out."""
    waiting: dict[tuple[PurePosixPath, str], dict[str, Buffer]] = {}
    # Files of a folder are mapped, not held.
    is_held = not isinstance(source, FolderSource)
    held = 0
    for member in members(source):
        folder, stem = member.path.parent, member.path.stem
        system = systems.get(folder.parent)
        if system is None or stem not in system.sets.get(folder.name, ()):
            continue
        if member.path.suffix != ".npy":
            continue
        held += member.size * is_held
        if held > MOST_HELD:
            raise HostileInput(
                f"{source.name}: {folder}",
                f"a set of more than {MOST_HELD >> 20} MiB",
                "smaller sets",
                "Write at most some thousand frames into one set.",
            )
        arrays = waiting.setdefault((folder.parent, folder.name), {})
        arrays[stem] = member.load()
        if arrays.keys() == system.sets[folder.name]:
            del waiting[(folder.parent, folder.name)]
            yield folder.parent, folder.name, arrays
            held -= sum(len(a) for a in arrays.values()) * is_held


def _checked_set(system: _System, raw: dict[str, Buffer]) -> _Set:
    arrays = {name: _array(name, data) for name, data in raw.items()}
    if "coord" not in arrays:
        raise ValueError("no coord.npy; expected one in every set")
    types = _types(system)
    coord = arrays["coord"]
    frames = len(coord) if coord.ndim else 0
    shapes = {
        "coord": (frames, len(types), 3),
        "box": (frames, 3, 3),
        "energy": (frames,),
        "force": (frames, len(types), 3),
        "virial": (frames, 3, 3),
        "real_atom_types": (frames, len(types)),
    }
    for name, array in arrays.items():
        shape = shapes[name]
        if array.size != math.prod(shape):
            raise ValueError(
                f"{name}.npy has the shape {array.shape}; expected {frames} frames of "
                f"{math.prod(shape[1:])} values"
            )
        arrays[name] = array.reshape(shape)
    if "real_atom_types" in arrays:
        types = arrays["real_atom_types"].astype(np.int64)
    return _Set(
        numbers=np.broadcast_to(_numbers(system, types), shapes["real_atom_types"]),
        coord=arrays["coord"],
        box=arrays.get("box") if system.is_periodic else None,
        energy=arrays.get("energy"),
        force=arrays.get("force"),
        virial=arrays.get("virial"),
    )


def _array(name: str, data: Buffer) -> NDArray[np.float64]:
    """Return the values of a .npy file; nothing in it is executed or believed."""
    stream = io.BytesIO(data[: npy.ARRAY_ALIGN + 20_000])
    try:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, is_fortran, dtype = read(stream, max_header_size=10_000)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f"{name}.npy is no array of NumPy ({error})") from None
    if dtype.kind not in "fiu":
        raise ValueError(f"{name}.npy holds {dtype.name}; expected numbers")
    count = math.prod(shape)
    if count < 0 or stream.tell() + count * dtype.itemsize != len(data):
        raise ValueError(f"{name}.npy has {len(data)} bytes, which don't fit its shape {shape}")
    flat = np.frombuffer(data, dtype, count, stream.tell())
    return flat.reshape(shape, order="F" if is_fortran else "C")


def _types(system: _System) -> NDArray[np.int64]:
    if system.types is None:
        raise ValueError("no type.raw beside the sets; expected the type of each atom")
    try:
        types = np.array(system.types.split(), dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"type.raw: {error}; expected integers") from None
    if not len(types):
        raise ValueError("type.raw is empty; expected the type of each atom")
    return types


def _numbers(system: _System, types: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return atomic numbers of types; −1, which fills up mixed systems, gives 0."""
    if system.type_map is None:
        raise ValueError("no type_map.raw beside type.raw; expected the element of each type")
    if types.min() < -1 or types.max() >= len(system.type_map):
        raise ValueError(
            f"types from {types.min()} to {types.max()}; type_map.raw names {len(system.type_map)}"
        )
    table = [atomic_number(symbol) for symbol in system.type_map] + [0]
    used = set(np.unique(types).tolist())
    bad = next((system.type_map[t] for t in sorted(used) if table[t] is None), None)
    if bad is not None:
        raise ValueError(f"type_map.raw: unknown element “{bad[:20]}”")
    return np.array([z or 0 for z in table], dtype=np.uint8)[types]


def _frame(whole: _Set, index: int, step: int, calculation: Calculation) -> Frame:
    is_atom = whole.numbers[index] > 0
    cell = np.zeros((3, 3)) if whole.box is None else _floats(whole.box[index])
    forces = None if whole.force is None else _floats(whole.force[index][is_atom])
    volume = abs(float(np.linalg.det(cell)))
    stress = None
    if whole.virial is not None and volume > 0:
        stress = -_floats(whole.virial[index]) / volume
    is_periodic = whole.box is not None
    energy = None if whole.energy is None else float(whole.energy[index])
    return Frame(
        numbers=whole.numbers[index][is_atom],
        positions=_floats(whole.coord[index][is_atom]),
        cell=cell,
        pbc=(is_periodic, is_periodic, is_periodic),
        energy=energy,
        forces=forces,
        stress=stress,
        ionic_step=step,
        label_source="none" if energy is None and forces is None else "ab initio",
        calculation=calculation,
    )


def _floats(values: NDArray[np.float64]) -> FloatArray:
    return np.array(values, dtype=np.float64)
