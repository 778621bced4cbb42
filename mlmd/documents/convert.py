"""Frames to documents and back, without loss."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from mlmd.documents.compatibility import compat_key
from mlmd.documents.formula import (
    element_counts,
    formula_anonymous,
    formula_hill,
    formula_reduced,
)
from mlmd.documents.identity import label_identity, structure_hash
from mlmd.documents.schema import SCHEMA_VERSION, first_problem, upgrade
from mlmd.elements import SYMBOLS, atomic_number
from mlmd.errors import InvalidInput
from mlmd.frame import Calculation, FloatArray, Frame
from mlmd.number_text import table_text

_latest: tuple[Calculation | None, str] = (None, "")
_CALCULATION_FIELDS = frozenset(f.name for f in fields(Calculation))


def frame_to_document(frame: Frame) -> dict[str, Any]:
    """Return the document of a frame: plain JSON values only.

    Raises:
        InvalidInput: the frame has no atoms.
    """
    return {
        **_without_tables(frame),
        "cartesian_site_positions": frame.positions.tolist(),
        "atomic_forces": _listed(frame.forces),
        "calculation": calculation_to_document(frame.calculation),
    }


def frame_to_json(frame: Frame) -> str:
    """Return the document of a frame as JSON on one line, made a table at a time.

    Raises:
        InvalidInput: the frame has no atoms.
        ValueError: a number is not finite, which JSON can't say.
    """
    head = json.dumps(_without_tables(frame), separators=(",", ":"), allow_nan=False)
    tables = (
        f'"cartesian_site_positions":{_json_rows(frame.positions)}',
        f'"atomic_forces":{_json_rows(frame.forces)}',
        f'"calculation":{calculation_to_json(frame.calculation)}',
    )
    return f"{head[:-1]},{','.join(tables)}}}"


def _without_tables(frame: Frame) -> dict[str, Any]:
    if len(frame) == 0:
        raise InvalidInput("frame", "no atoms", "at least one atom")
    structure = structure_hash(frame)
    counts = element_counts(frame.numbers)
    free = frame.energy if frame.calculation.code in ("vasp", "espresso") else None
    return {
        "schema_version": SCHEMA_VERSION,
        "type": "frame",
        "structure_hash": structure,
        "label_identity": label_identity(frame, structure),
        "elements": list(counts),
        "nelements": len(counts),
        "elements_ratios": [n / len(frame) for n in counts.values()],
        "nsites": len(frame),
        "chemical_formula_reduced": formula_reduced(counts),
        "chemical_formula_anonymous": formula_anonymous(counts),
        "chemical_formula_hill": formula_hill(counts),
        "dimension_types": [int(p) for p in frame.pbc],
        "nperiodic_dimensions": sum(map(int, frame.pbc)),
        "lattice_vectors": [row if any(row) else None for row in frame.cell.astype(float).tolist()],
        "species_at_sites": [SYMBOLS[z] for z in frame.numbers.tolist()],
        "energy": frame.energy,
        "energy_kind": "free_energy" if free is not None else "as_given",
        "free_energy": free,
        "energy_sigma0": frame.energy_sigma0,
        "cauchy_stress": _listed(frame.stress),
        "magnetic_moments": _listed(frame.magnetic_moments),
        "fixed_components": None if frame.fixed is None else frame.fixed.tolist(),
        "kind": frame.kind,
        "ionic_step": frame.ionic_step,
        "label_source": frame.label_source,
        "scf_converged": frame.scf_converged,
        "flags": list(frame.flags),
    }


def document_to_frame(document: dict[str, Any]) -> Frame:
    """Return the frame of a document, upgrading older versions.

    Derived fields (formulas, hashes, counts) are not read: they follow from the frame.

    Raises:
        InvalidInput: the document doesn't follow the schema; says which field.
    """
    document = upgrade(document)
    try:
        return _frame(document)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        where, found, expected = first_problem(document) or ("document", str(error), "a frame")
        raise InvalidInput(where, found, expected) from error


def calculation_to_document(calculation: Calculation) -> dict[str, Any]:
    """Return a calculation as plain JSON values, with its compatibility key."""
    values = asdict(calculation)
    if calculation.k_points is not None:
        values["k_points"] = list(calculation.k_points)
    return {"compat_key": compat_key(calculation), **values}


def calculation_to_json(calculation: Calculation) -> str:
    """Return `calculation_to_document` as JSON; many frames in a row share one."""
    global _latest
    known, text = _latest
    if known is not calculation:
        text = json.dumps(calculation_to_document(calculation), allow_nan=False)
        _latest = calculation, text
    return text


def calculation_from_document(document: dict[str, Any]) -> Calculation:
    """Return the calculation of a document or sub-document.

    Raises:
        InvalidInput: an unknown field.
    """
    values = {k: v for k, v in document.items() if k != "compat_key"}
    unknown = sorted(set(values) - _CALCULATION_FIELDS)
    if unknown:
        raise InvalidInput(
            f"calculation.{unknown[0]}", "an unknown field", ", ".join(sorted(_CALCULATION_FIELDS))
        )
    if values.get("k_points") is not None:
        a, b, c = (int(k) for k in values["k_points"])
        values["k_points"] = (a, b, c)
    return Calculation(**values)


def _frame(document: dict[str, Any]) -> Frame:
    symbols = document["species_at_sites"]
    numbers = {s: atomic_number(s) for s in set(symbols)}
    for symbol, number in numbers.items():
        if number is None:
            raise InvalidInput("species_at_sites", f"“{symbol}”", "chemical symbols")
    n = len(symbols)
    x, y, z = (bool(d) for d in document["dimension_types"])
    fixed = document.get("fixed_components")
    stress = _array(document, "cauchy_stress", (3, 3))
    positions = _array(document, "cartesian_site_positions", (n, 3))
    if positions is None:
        raise ValueError("no positions")
    return Frame(
        numbers=np.array([numbers[s] for s in symbols], dtype=np.uint8),
        positions=positions,
        cell=np.array(
            [row or (0.0, 0.0, 0.0) for row in document["lattice_vectors"]], dtype=np.float64
        ).reshape(3, 3),
        pbc=(x, y, z),
        energy=_number(document, "energy"),
        energy_sigma0=_number(document, "energy_sigma0"),
        forces=_array(document, "atomic_forces", (n, 3)),
        stress=stress,
        magnetic_moments=_array(document, "magnetic_moments", (n,)),
        fixed=None if fixed is None else np.array(fixed, dtype=bool).reshape(n, 3),
        ionic_step=int(document.get("ionic_step", 0)),
        label_source=str(document.get("label_source", "none")),
        scf_converged=document.get("scf_converged"),
        kind=str(document.get("kind", "")),
        flags=tuple(document.get("flags", ())),
        calculation=calculation_from_document(document.get("calculation", {})),
    )


def _listed(array: FloatArray | None) -> list[Any] | None:
    return None if array is None else array.tolist()


def _json_rows(array: FloatArray | None) -> str:
    if array is None:
        return "null"
    if not np.isfinite(array).all():
        raise ValueError("a position or a force is not a finite number, which JSON can't say")
    return f"[{table_text(array, ('[', ',', ',', '],'))[:-1]}]"


def _number(document: dict[str, Any], name: str) -> float | None:
    value = document.get(name)
    return None if value is None else float(value)


def _array(document: dict[str, Any], name: str, shape: tuple[int, ...]) -> FloatArray | None:
    value = document.get(name)
    if value is None:
        return None
    array = np.array(value, dtype=np.float64)
    if array.shape != shape:
        raise InvalidInput(name, f"an array of shape {array.shape}", f"shape {shape}")
    return array
