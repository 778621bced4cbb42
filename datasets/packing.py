"""Frames and structures as compact bytes: every number comes back exactly.

Layout: ``MLF1``, the header's length (uint32, little endian), the header (JSON: the frame
without arrays, and name, dtype and shape of each array), then the arrays one after another,
little endian, without gaps. No Django here: the parser's child process uses it too.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import fields
from typing import Any

import numpy as np
from ase import Atoms

from mlmd.documents import calculation_to_document
from mlmd.errors import InvalidInput
from mlmd.formats.atoms import atoms_to_frame, frame_to_atoms
from mlmd.frame import Calculation, Frame

MAGIC = b"MLF1"
_LENGTH = struct.Struct("<I")
_DTYPES = {
    "numbers": "|u1",
    "positions": "<f8",
    "cell": "<f8",
    "forces": "<f8",
    "stress": "<f8",
    "magnetic_moments": "<f8",
    "fixed": "|b1",
}
_SCALARS = tuple(f.name for f in fields(Frame) if f.name not in {*_DTYPES, "calculation"})


def pack_frame(frame: Frame) -> bytes:
    """Return the frame as bytes, without its calculation, which many frames share."""
    arrays: list[list[Any]] = []
    parts: list[bytes] = []
    for name, dtype in _DTYPES.items():
        value = getattr(frame, name)
        if value is None:
            continue
        array = np.ascontiguousarray(value, dtype=dtype)
        arrays.append([name, list(array.shape)])
        parts.append(array.tobytes())
    header = {name: getattr(frame, name) for name in _SCALARS}
    text = json.dumps({**header, "arrays": arrays}, separators=(",", ":"), ensure_ascii=False)
    encoded = text.encode()
    return b"".join((MAGIC, _LENGTH.pack(len(encoded)), encoded, *parts))


def unpack_frame(content: bytes | memoryview, calculation: Calculation | None = None) -> Frame:
    """Return the frame of `pack_frame`.

    Raises:
        InvalidInput: the bytes are not a packed frame, or are cut.
    """
    view = memoryview(content)
    if bytes(view[:4]) != MAGIC:
        raise InvalidInput("stored frame", "unknown leading bytes", "a packed frame")
    size = _LENGTH.unpack_from(view, 4)[0]
    header = json.loads(bytes(view[8 : 8 + size]))
    offset = 8 + size
    values: dict[str, Any] = {}
    for name, shape in header.pop("arrays"):
        dtype = np.dtype(_DTYPES[name])
        count = int(np.prod(shape))
        end = offset + count * dtype.itemsize
        if end > len(view):
            raise InvalidInput("stored frame", f"cut inside {name}", f"{end} bytes")
        values[name] = np.frombuffer(view[offset:end], dtype=dtype).reshape(shape).copy()
        offset = end
    header["pbc"] = tuple(header["pbc"])
    header["flags"] = tuple(header["flags"])
    return Frame(**header, **values, calculation=calculation or Calculation())


def pack_atoms(atoms: Atoms) -> bytes:
    """Return a structure as bytes: atoms, cell, periodicity, held atoms; labels are left out."""
    bare = atoms.copy()
    return pack_frame(atoms_to_frame(bare))


def unpack_atoms(content: bytes | memoryview) -> Atoms:
    """Return the structure of `pack_atoms`."""
    return frame_to_atoms(unpack_frame(content))


def calculation_digest(calculation: Calculation) -> str:
    """Return the SHA-256 of everything that is known of a calculation."""
    document = calculation_to_document(calculation)
    text = json.dumps(document, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def frame_digest(packed: bytes, calculation_sha256: str) -> str:
    """Return the SHA-256 that names a frame with its labels and its calculation, bit by bit."""
    return hashlib.sha256(packed + calculation_sha256.encode()).hexdigest()
