"""Extended XYZ, as ASE and the machine-learning community write it.

Which keys hold the labels is decided in `mlmd.formats.extxyz_labels`;
``config_type`` is the kind of configuration, ``move_mask`` the atoms that move.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from mlmd.documents import calculation_from_document, calculation_to_json
from mlmd.elements import SYMBOLS, atomic_number_of_label
from mlmd.errors import HostileInput, InvalidInput
from mlmd.formats.extxyz_labels import LabelReader
from mlmd.formats.issues import IssueLog
from mlmd.formats.labels import EnergyKind, chosen_energy
from mlmd.formats.source import Source
from mlmd.formats.species import species_texts
from mlmd.frame import Calculation, FloatArray, Frame
from mlmd.number_text import Texts, table_text

_PAIR = re.compile(
    r"""(?P<key>[^\s="']+)(?:\s*=\s*(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\{[^}]*\}|\[[^\]]*\]|\S+))?"""
)
_ESCAPE = re.compile(r"\\(.)")
_LONGEST_COMMENT = 1 << 20
_WIDTHS = {"S": str, "R": float, "I": float, "L": str}
_SPECIES = ("species", "element", "z", "numbers")
_FIXED = tuple(f" {a} {b} {c}\n" for a in "FT" for b in "FT" for c in "FT")
_TRUE = frozenset(("t", "true", "1"))


def read_extxyz(source: Source, log: IssueLog) -> Iterator[tuple[str, Frame]]:
    """Yield (place, frame) of every frame; damaged frames go to ``log``."""
    lines = source.lines()
    labels = LabelReader(log)
    number = line_number = skipped = 0
    for line in lines:
        line_number += 1
        count = _atom_count(line)
        if count is None:
            if line.strip():
                skipped += 1
                if skipped == 1:
                    log.lose(
                        f"line {line_number}",
                        f"“{line.strip()[:40]}” where a frame should start",
                        "a number of atoms",
                        "Lines were skipped up to the next frame.",
                    )
            continue
        skipped = 0
        if count > source.limits.atoms:
            raise HostileInput(
                f"{source.name}: line {line_number}",
                f"a frame of {count} atoms",
                f"at most {source.limits.atoms}",
            )
        number += 1
        place = f"frame {number}"
        comment = next(lines, None)
        rows = [row for _, row in zip(range(count), lines, strict=False)]
        line_number += 1 + len(rows)
        if comment is None or len(rows) < count:
            log.lose(
                place,
                f"{len(rows)} atom lines",
                f"{count}",
                "The file was probably cut off; the frames before were kept.",
            )
            return
        try:
            yield place, _frame(comment, rows, place, labels)
        except ValueError as error:
            log.lose(place, str(error), "", "The frame was left out.")


def _atom_count(line: str) -> int | None:
    text = line.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 15 else None


def parse_comment(comment: str) -> dict[str, str]:
    """Return the key → text pairs of a comment line; a bare word is ``"T"``."""
    pairs: dict[str, str] = {}
    for match in _PAIR.finditer(comment):
        value = match["value"]
        if value is None:
            value = "T"
        elif value[:1] in "\"'" and len(value) > 1:
            value = _ESCAPE.sub(r"\1", value[1:-1])
        pairs[match["key"]] = value
    return pairs


@dataclass(frozen=True)
class _Column:
    name: str
    kind: str
    first: int
    width: int


def _columns(properties: str) -> list[_Column]:
    parts = properties.split(":")
    if len(parts) % 3:
        raise ValueError(f"Properties={properties[:60]} is not made of name:type:count")
    columns, first = [], 0
    for name, kind, width in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if kind not in _WIDTHS or not width.isdigit() or not 0 < int(width) < 1000:
            raise ValueError(f"Properties has “{name}:{kind}:{width}”; expected name:type:count")
        columns.append(_Column(name.lower(), kind, first, int(width)))
        first += int(width)
    return columns


def _frame(comment: str, rows: list[str], place: str, labels: LabelReader) -> Frame:
    if len(comment) > _LONGEST_COMMENT:
        raise ValueError(f"a comment line of {len(comment)} characters")
    info = parse_comment(comment)
    lower = {key.lower(): value for key, value in info.items()}
    arrays = _arrays(rows, _columns(lower.get("properties", "species:S:1:pos:R:3")), lower)
    cell = np.zeros((3, 3))
    if "lattice" in lower:
        cell = _floats(lower["lattice"], 9, "Lattice").reshape(3, 3)
    pbc = _pbc(lower, "lattice" in lower)
    calculation = _calculation(lower)
    found = labels.read(place, lower, arrays, cell)
    _, magnetic = labels.first(place, arrays, "magmoms", "magmom")
    labelled = found.energy is not None or found.forces is not None
    flags = tuple(lower["flags"].split()) if "flags" in lower else ()
    return Frame(
        numbers=arrays["numbers"],
        positions=arrays["pos"],
        cell=cell,
        pbc=pbc,
        energy=found.energy,
        energy_sigma0=found.energy_sigma0,
        forces=found.forces,
        stress=found.stress,
        magnetic_moments=None if magnetic is None else magnetic.reshape(len(rows), -1)[:, -1],
        fixed=arrays.get("fixed"),
        ionic_step=int(lower.get("ionic_step", "0")),
        label_source=lower.get("label_source", "ab initio" if labelled else "none"),
        scf_converged={"t": True, "f": False}.get(lower.get("scf_converged", "").lower()[:1]),
        kind=lower.get("kind", lower.get("config_type", "")),
        flags=flags,
        calculation=calculation,
    )


def _arrays(rows: list[str], columns: list[_Column], info: dict[str, str]) -> dict[str, Any]:
    width = columns[-1].first + columns[-1].width
    tokens = " ".join(rows).split()
    if len(tokens) != width * len(rows):
        index = next((i for i, r in enumerate(rows) if len(r.split()) != width), 0)
        if "properties" in info or any(len(r.split()) < width for r in rows):
            found = len(rows[index].split())
            raise ValueError(f"atom {index + 1} has {found} columns; expected {width}")
        # Plain XYZ files often carry charges or velocities behind the coordinates.
        tokens = [token for row in rows for token in row.split()[:width]]
    arrays: dict[str, Any] = {}
    for column in columns:
        stop = column.first + column.width
        values = [tokens[c::width] for c in range(column.first, stop)]
        if column.name in _SPECIES and "numbers" not in arrays:
            arrays["numbers"] = _numbers(values[0])
        elif column.kind == "L" and column.name in ("fixed", "move_mask"):
            mask = np.array([[v.lower() in _TRUE for v in c] for c in values]).T
            mask = ~mask if column.name == "move_mask" else mask
            arrays["fixed"] = np.broadcast_to(mask, (len(rows), 3)).copy()
        elif column.kind in "RI":
            try:
                arrays[column.name] = np.array(values, dtype=np.float64).T.copy()
            except ValueError as error:
                raise ValueError(f"column {column.name}: {error}") from None
    for name in ("numbers", "pos"):
        if name not in arrays:
            raise ValueError("no column of species or positions in Properties")
    if arrays["pos"].shape[1] != 3:
        raise ValueError("positions don't have three components")
    return arrays


def _numbers(symbols: list[str]) -> NDArray[np.uint8]:
    known: dict[str, int] = {}
    for symbol in set(symbols):
        if symbol.isascii() and symbol.isdigit() and 0 < int(symbol) < len(SYMBOLS):
            known[symbol] = int(symbol)
            continue
        number = atomic_number_of_label(symbol)
        if number is None:
            raise ValueError(f"unknown element “{symbol[:20]}”; expected a chemical symbol")
        known[symbol] = number
    return np.array([known[s] for s in symbols], dtype=np.uint8)


def _floats(text: str, count: int, name: str) -> FloatArray:
    tokens = re.sub(r"[\[\]{},]", " ", text).split()
    if len(tokens) != count:
        raise ValueError(f"{name} has {len(tokens)} values; expected {count}")
    try:
        return np.array(tokens, dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _pbc(info: dict[str, str], has_cell: bool) -> tuple[bool, bool, bool]:
    if "pbc" not in info:
        return (has_cell, has_cell, has_cell)
    words = re.sub(r"[\[\]{},]", " ", info["pbc"]).split()
    words = words * 3 if len(words) == 1 else words
    if len(words) != 3:
        raise ValueError(f"pbc has {len(words)} values; expected 3")
    x, y, z = (w.lower() in _TRUE for w in words)
    return (x, y, z)


def _calculation(info: dict[str, str]) -> Calculation:
    text = info.get("calculation", "")
    if not text.startswith("_JSON"):
        return Calculation(charge=float(info.get("charge", info.get("total_charge", 0.0))))
    return _stated_calculation(text.removeprefix("_JSON"))


@lru_cache(maxsize=8)  # most frames of a file share one
def _stated_calculation(text: str) -> Calculation:
    try:
        return calculation_from_document(json.loads(text))
    except (InvalidInput, ValueError) as error:
        raise ValueError(f"calculation: {error}") from None


def write_extxyz(frame: Frame, stream: TextIO, energy: EnergyKind) -> None:
    """Write one frame; numbers in the shortest form that reads back to the same value.

    Raises:
        InvalidInput: the energy asked for is not known.
    """
    properties, tables = "species:S:1:pos:R:3", [frame.positions]
    if frame.forces is not None:
        properties += ":forces:R:3"
        tables.append(frame.forces)
    if frame.magnetic_moments is not None:
        properties += ":magmoms:R:1"
        tables.append(frame.magnetic_moments[:, None])
    end: Texts = "\n"
    if frame.fixed is not None:
        properties += ":fixed:L:3"
        end = _FIXED, frame.fixed.astype(np.int64) @ (4, 2, 1)
    stream.write(f"{len(frame)}\n{_comment(frame, properties, energy)}\n")
    values = np.concatenate(tables, axis=1)
    species = species_texts(frame.numbers, "{} ")
    stream.write(table_text(values, (species, *[" "] * (values.shape[1] - 1), end)))


def _comment(frame: Frame, properties: str, energy: EnergyKind) -> str:
    pairs: dict[str, Any] = {}
    if np.any(frame.cell):
        pairs["Lattice"] = " ".join(map(repr, frame.cell.ravel().tolist()))
    pairs["Properties"] = properties
    value = chosen_energy(frame, energy)
    if value is not None:
        pairs["energy"] = repr(value)
    if frame.energy is not None:
        pairs["free_energy"] = repr(frame.energy)
    if frame.energy_sigma0 is not None:
        pairs["energy_sigma0"] = repr(frame.energy_sigma0)
    if frame.stress is not None:
        pairs["stress"] = " ".join(map(repr, frame.stress.ravel().tolist()))
    pairs["pbc"] = " ".join("T" if p else "F" for p in frame.pbc)
    pairs["label_source"] = frame.label_source
    pairs["ionic_step"] = str(frame.ionic_step)
    if frame.scf_converged is not None:
        pairs["scf_converged"] = "T" if frame.scf_converged else "F"
    if frame.kind:
        pairs["kind"] = frame.kind
    if frame.flags:
        pairs["flags"] = " ".join(frame.flags)
    if frame.calculation != Calculation():
        pairs["calculation"] = "_JSON " + calculation_to_json(frame.calculation)
    return " ".join(f"{key}={_quoted(value)}" for key, value in pairs.items())


def _quoted(value: str) -> str:
    value = value.replace("\r", " ").replace("\n", " ")
    if re.fullmatch(r"[\w.:+\-]+", value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
