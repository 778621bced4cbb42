"""Frames to dpdata's ``deepmd/npy``: a folder of systems, or a .zip of it."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlmd.elements import SYMBOLS
from mlmd.errors import InvalidInput
from mlmd.formats.labels import EnergyKind
from mlmd.formats.sinks import PathSink, labelled_energy
from mlmd.frame import FloatArray, Frame

FRAMES_PER_SET = 5000  # dpdata's own number
_BYTES_HELD = 128 << 20
# A file's time in an archive says nothing, and would change its checksum.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass
class _System:
    """Frames that share their atoms, in order, and which labels they have."""

    name: str
    numbers: NDArray[np.uint8]
    is_periodic: bool
    arrays: dict[str, list[FloatArray]] = field(default_factory=dict)
    waiting: int = 0
    sets: int = 0

    @property
    def held(self) -> int:
        return self.waiting * len(self.numbers) * 48


class DeepmdSink(PathSink):
    """Writes sets of at most 5000 frames; memory stays bounded.

    Args:
        path: becomes a folder, or an archive when its name ends in ``.zip``.
        energy: which energy goes out.
    """

    def __init__(self, path: Path, energy: EnergyKind) -> None:
        super().__init__(path, energy)
        self._systems: dict[tuple[object, ...], _System] = {}
        self._names: dict[str, int] = {}
        self._held = 0
        self._zip: zipfile.ZipFile | None = None
        if path.suffix.lower() == ".zip":
            self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        else:
            path.mkdir(parents=True)

    def write(self, frame: Frame) -> None:
        """Take one frame.

        Raises:
            InvalidInput: no energy, or periodic in some directions only.
        """
        energy = labelled_energy(frame, self.energy, "deepmd/npy")
        if any(frame.pbc) != all(frame.pbc):
            raise InvalidInput(
                f"{frame.calculation.source_name or 'frame'}: step {frame.ionic_step}",
                "periodic in some directions only",
                "three periodic directions, or none",
                "Add vacuum and a full cell.",
            )
        is_periodic = all(frame.pbc)
        # DeePMD wants a box even where it is not used; 100 Å is dpdata's choice as well.
        box = frame.cell if is_periodic else np.eye(3) * 100.0
        arrays = {"coord": frame.positions, "box": box, "energy": np.array(energy)}
        if frame.forces is not None:
            arrays["force"] = frame.forces
        if frame.stress is not None and is_periodic:
            arrays["virial"] = -frame.stress * abs(float(np.linalg.det(frame.cell)))
        system = self._system(frame, is_periodic, tuple(arrays))
        for name, values in arrays.items():
            system.arrays.setdefault(name, []).append(values.ravel())
        system.waiting += 1
        self._held += len(frame) * 48
        if system.waiting >= FRAMES_PER_SET:
            self._flush(system)
        elif self._held > _BYTES_HELD:
            self._flush(max(self._systems.values(), key=lambda s: s.held))

    def _system(self, frame: Frame, is_periodic: bool, labels: tuple[str, ...]) -> _System:
        key = (frame.numbers.tobytes(), is_periodic, labels)
        system = self._systems.get(key)
        if system is None:
            formula = _formula(frame.numbers)
            again = self._names[formula] = self._names.get(formula, 0) + 1
            name = formula if again == 1 else f"{formula}-{again}"
            system = self._systems[key] = _System(name, frame.numbers.copy(), is_periodic)
        return system

    def _flush(self, system: _System) -> None:
        if not system.waiting:
            return
        for name, rows in system.arrays.items():
            values = np.concatenate(rows) if name == "energy" else np.stack(rows)
            stream = io.BytesIO()
            np.save(stream, values, allow_pickle=False)
            self._put(f"{system.name}/set.{system.sets:03d}/{name}.npy", stream.getvalue())
        self._held -= system.held
        system.arrays, system.waiting, system.sets = {}, 0, system.sets + 1

    def close(self) -> None:
        """Write the last sets, and the types, which are the same in all systems."""
        try:
            used = {int(z) for s in self._systems.values() for z in np.unique(s.numbers)}
            elements = sorted(used)
            type_of = {z: index for index, z in enumerate(elements)}
            type_map = "".join(f"{SYMBOLS[z]}\n" for z in elements).encode()
            for system in self._systems.values():
                self._flush(system)
                types = "".join(f"{type_of[z]}\n" for z in system.numbers.tolist())
                self._put(f"{system.name}/type.raw", types.encode())
                self._put(f"{system.name}/type_map.raw", type_map)
                if not system.is_periodic:
                    self._put(f"{system.name}/nopbc", b"")
        finally:
            if self._zip is not None:
                self._zip.close()

    def _put(self, name: str, data: bytes) -> None:
        if self._zip is not None:
            entry = zipfile.ZipInfo(name, _NO_TIME)
            # The digits of measured numbers are noise: packing them takes long and saves nothing.
            is_numbers = name.endswith(".npy")
            entry.compress_type = zipfile.ZIP_STORED if is_numbers else zipfile.ZIP_DEFLATED
            self._zip.writestr(entry, data)
            return
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _formula(numbers: NDArray[np.uint8]) -> str:
    found, counts = np.unique(numbers, return_counts=True)
    pairs = sorted((SYMBOLS[z], n) for z, n in zip(found.tolist(), counts.tolist(), strict=True))
    # A file name has at most 255 bytes, also for a high-entropy oxide.
    return "".join(f"{symbol}{count}" for symbol, count in pairs)[:120]
