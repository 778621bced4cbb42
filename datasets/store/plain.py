"""Packed frames as plain documents of the published schema, and back, bit by bit.

A plain document says everything in fields that people read. Three things would be lost on the
way, and are kept beside them:

- the sign of a zero, which some servers drop: ``negative_zeros``, a bit mask of each array;
- numbers that JSON doesn't know (NaN, infinities) and frames too large for one document: their
  arrays are null and the packed bytes lie in parts (`Plain.parts`);
- arrays in arrays, which FerretDB 1 refuses: there one row follows the other (`flattened`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import copysign, isfinite
from typing import Any
from uuid import UUID

import numpy as np

from datasets.packing import frame_digest, pack_frame, unpack_frame
from mlmd.documents import calculation_to_document, document_to_frame, frame_to_document
from mlmd.frame import Calculation, Frame

_SHAPES = {
    "lattice_vectors": (3, 3),
    "cartesian_site_positions": (-1, 3),
    "atomic_forces": (-1, 3),
    "cauchy_stress": (3, 3),
    "fixed_components": (-1, 3),
}
_ARRAYS = {
    "lattice_vectors": "cell",
    "cartesian_site_positions": "positions",
    "atomic_forces": "forces",
    "cauchy_stress": "stress",
    "magnetic_moments": "magnetic_moments",
}
_LARGE = ("species_at_sites", *_ARRAYS, "fixed_components")
MOST_ATOMS = 80_000  # of a plain document: 16 MiB hold about 110,000 with all arrays
PART_BYTES = 8 << 20


@dataclass(frozen=True)
class Origin:
    """Where frames come from; the same for many.

    Args:
        calculation_id: `public_id` of the calculation.
        dataset_id: `public_id` of its dataset.
        digest: of everything that is known of the calculation.
        calculation: the level of theory.
    """

    calculation_id: UUID
    dataset_id: UUID
    digest: str
    calculation: Calculation

    @cached_property
    def said(self) -> dict[str, Any]:
        """The calculation as every server takes it."""
        return escaped(calculation_to_document(self.calculation))


@dataclass(frozen=True)
class Plain:
    """A document, and the packed frame in parts where the document can't say all."""

    document: dict[str, Any]
    parts: tuple[bytes, ...] = ()


def to_plain(public_id: UUID, content: bytes, origin: Origin) -> Plain:
    """Return a packed frame as a document of the schema, with what a store adds to it."""
    frame = unpack_frame(content, origin.calculation)
    added: dict[str, Any] = {
        "_id": str(public_id),
        "dataset": str(origin.dataset_id),
        "calculation_id": str(origin.calculation_id),
        "document_hash": frame_digest(content, origin.digest),
    }
    document = {**added, **frame_to_document(frame), "calculation": origin.said}
    if len(frame) > MOST_ATOMS or not _is_finite(frame):
        return _in_parts(document, content)
    if masks := _negative_zeros(frame):
        document["negative_zeros"] = masks
    return Plain(document) if from_plain(document) == content else _in_parts(document, content)


def from_plain(document: Mapping[str, Any]) -> bytes:
    """Return the packed frame of a document without parts.

    Raises:
        InvalidInput: the document isn't of the schema any more.
    """
    values = dict(document)
    for name, shape in _SHAPES.items():
        if values.get(name):
            values[name] = _nested(values[name], shape)
    masks = values.get("negative_zeros") or {}
    # The calculation is kept apart; here it only has to be one.
    frame = document_to_frame({**values, "calculation": {}})
    for name, mask in masks.items():
        _restore_signs(getattr(frame, _ARRAYS[name]), mask)
    return pack_frame(frame)


def flattened(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with one row of each array after the other."""
    flat = {
        name: [value for row in rows for value in (row or (None,) * 3)]
        for name in _SHAPES
        if (rows := document.get(name)) is not None
    }
    return {**document, **flat}


def escaped(value: Any) -> Any:
    """Return JSON values with keys and numbers that every server takes.

    Settings of a calculation have any name that its code gives them: ``.`` and a leading ``$``
    become their full-width forms. Numbers that BSON has no form for become text.
    """
    if isinstance(value, dict):
        return {_key(str(key)): escaped(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [escaped(inner) for inner in value]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return str(value)
    return value


def _key(key: str) -> str:
    key = key.replace(".", "\uff0e").replace("\0", "\ufffd") or "_"
    return "\uff04" + key[1:] if key.startswith("$") else key


def _in_parts(document: dict[str, Any], content: bytes) -> Plain:
    """Return a document that says what it can, and the packed frame beside it."""
    starts = range(0, len(content), PART_BYTES)
    parts = tuple(content[start : start + PART_BYTES] for start in starts)
    numbers = [k for k, v in document.items() if isinstance(v, float) and not isfinite(v)]
    return Plain({**document, **dict.fromkeys((*_LARGE, *numbers)), "parts": len(parts)}, parts)


def _is_finite(frame: Frame) -> bool:
    arrays = [getattr(frame, name) for name in _ARRAYS.values()]
    numbers = [n for n in (frame.energy, frame.energy_sigma0) if n is not None]
    # Servers may drop the sign of a zero, and a lone number has no mask.
    return all(isfinite(n) and (n != 0 or copysign(1.0, n) > 0) for n in numbers) and all(
        np.isfinite(array).all() for array in arrays if array is not None
    )


def _negative_zeros(frame: Frame) -> dict[str, bytes]:
    """Return a bit mask for each array that holds a zero below zero."""
    masks = {}
    for name, attribute in _ARRAYS.items():
        array = getattr(frame, attribute)
        if array is None:
            continue
        mask = np.signbit(array) & (array == 0)
        if mask.any():
            masks[name] = np.packbits(mask).tobytes()
    return masks


def _restore_signs(array: np.ndarray, mask: bytes) -> None:
    bits = np.unpackbits(np.frombuffer(mask, np.uint8), count=array.size)
    array[bits.reshape(array.shape).astype(bool)] = -0.0


def _nested(rows: list[Any], shape: tuple[int, int]) -> list[Any]:
    """Return rows of three, of an array that may be flat."""
    if isinstance(rows[0], list) or (rows[0] is None and len(rows) == shape[0]):
        return rows
    return [
        None if rows[i] is None else rows[i : i + shape[1]] for i in range(0, len(rows), shape[1])
    ]
