"""n2p2's input.data: ``begin … end`` blocks, in whatever units the data uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TextIO

import numpy as np

from mlmd.documents import compat_key
from mlmd.elements import atomic_number
from mlmd.errors import HostileInput, InvalidInput
from mlmd.formats.issues import IssueLog
from mlmd.formats.labels import EnergyKind, chosen_energy
from mlmd.formats.source import Source
from mlmd.formats.species import species_texts
from mlmd.frame import Calculation, Frame
from mlmd.number_text import table_text
from mlmd.units import ENERGY, LENGTH

_KIND = re.compile(r'\bkind=("([^"]*)"|\S+)')
_STEP = re.compile(r"\bstep=(\d+)")


@dataclass
class _Block:
    line: int
    comment: str = ""
    lattice: list[list[str]] = field(default_factory=list)
    symbols: list[str] = field(default_factory=list)
    values: list[list[str]] = field(default_factory=list)
    energy: str | None = None
    charge: str | None = None


def read_n2p2(
    source: Source,
    log: IssueLog,
    length_unit: str | None = None,
    energy_unit: str | None = None,
) -> Iterator[tuple[str, Frame]]:
    """Yield (place, frame) of every complete block; damaged ones go to ``log``.

    Args:
        source: the file.
        log: takes the issues.
        length_unit: a key of `mlmd.units.LENGTH`; Å is assumed, and said, when None.
        energy_unit: a key of `mlmd.units.ENERGY`; eV likewise.
    """
    if length_unit is None or energy_unit is None:
        log.note(
            "",
            "the format doesn't say its units",
            action=f"Lengths were taken as {length_unit or 'angstrom'}, "
            f"energies as {energy_unit or 'ev'}.",
        )
    length, energy = LENGTH[length_unit or "angstrom"], ENERGY[energy_unit or "ev"]
    number = 0
    for block, problem in _blocks(source):
        number += 1
        place = f"structure {number} (line {block.line})"
        if problem:
            log.lose(place, problem, "begin … end", "The structure was left out.")
            continue
        try:
            frame = _frame(block, length, energy)
        except ValueError as error:
            log.lose(place, str(error), "", "The structure was left out.")
            continue
        yield place, replace(frame, ionic_step=_step(block.comment, number - 1))


def _step(comment: str, default: int) -> int:
    match = _STEP.search(comment)
    return int(match[1]) if match else default


def _blocks(source: Source) -> Iterator[tuple[_Block, str]]:
    block: _Block | None = None
    for number, line in enumerate(source.lines(), 1):
        words = line.split()
        if not words or words[0].startswith(("#", "!")):
            continue
        if words[0] == "begin":
            if block is not None:
                yield block, f"a new begin in line {number} before the end"
            block = _Block(number)
        elif block is None:
            yield _Block(number), f"“{words[0][:20]}” outside of a structure"
            return
        elif words[0] == "end":
            yield block, ""
            block = None
        else:
            _take(block, words, line, source)
    if block is not None:
        yield block, "the file ends inside a structure"


def _take(block: _Block, words: list[str], line: str, source: Source) -> None:
    match words[0]:
        case "atom":
            block.values.append(words[1:4] + words[5:10])
            block.symbols.append(words[4] if len(words) > 4 else "")
            if len(block.symbols) > source.limits.atoms:
                raise HostileInput(
                    source.name, "too many atoms in a structure", f"at most {source.limits.atoms}"
                )
        case "lattice":
            block.lattice.append(words[1:4])
        case "energy":
            block.energy = words[1] if len(words) > 1 else None
        case "charge":
            block.charge = words[1] if len(words) > 1 else None
        case "comment":
            block.comment = line.strip().removeprefix("comment").strip()
        case _:
            block.values.append([])  # unknown keyword: makes the block invalid
            block.symbols.append(f"keyword “{words[0][:20]}”")


def _frame(block: _Block, length: float, energy: float) -> Frame:
    numbers = np.empty(len(block.symbols), dtype=np.uint8)
    known: dict[str, int] = {}
    for i, (symbol, values) in enumerate(zip(block.symbols, block.values, strict=True)):
        if symbol not in known:
            number = atomic_number(symbol)
            if number is None:
                raise ValueError(f"atom {i + 1}: unknown element “{symbol[:30]}”")
            known[symbol] = number
        if len(values) != 8:
            raise ValueError(
                f"atom {i + 1} has {len(values) + 2} values; expected x y z element charge 0 "
                "fx fy fz"
            )
        numbers[i] = known[symbol]
    if len(block.lattice) not in (0, 3) or any(len(v) != 3 for v in block.lattice):
        raise ValueError(f"{len(block.lattice)} lattice lines; expected 3 of 3 numbers, or none")
    table = np.array(block.values, dtype=np.float64).reshape(-1, 8)
    periodic = bool(block.lattice)
    cell = np.array(block.lattice, dtype=np.float64) * length if periodic else np.zeros((3, 3))
    match = _KIND.search(block.comment)
    kind = (match[2] if match[2] is not None else match[1]) if match else ""
    return Frame(
        numbers=numbers,
        positions=table[:, :3] * length,
        cell=cell,
        pbc=(periodic, periodic, periodic),
        energy=None if block.energy is None else float(block.energy) * energy,
        forces=table[:, 5:] * (energy / length),
        label_source="ab initio",
        kind=kind,
        calculation=Calculation(charge=float(block.charge or 0.0)),
    )


def write_n2p2(frame: Frame, stream: TextIO, energy: EnergyKind) -> None:
    """Write one frame in Å and eV.

    Raises:
        InvalidInput: energy or forces are missing, or only some directions are periodic
            while others have no lattice vector.
    """
    place = f"{frame.calculation.source_name or 'frame'}: step {frame.ionic_step}"
    value = chosen_energy(frame, energy)
    if value is None or frame.forces is None:
        missing = "energy" if value is None else "forces"
        raise InvalidInput(
            place, f"no {missing}", "energy and forces", "n2p2 can only hold labelled frames."
        )
    lines = ["begin", f"comment {_comment(frame)}"]
    if any(frame.pbc):
        if abs(float(np.linalg.det(frame.cell))) < 1e-12:
            raise InvalidInput(
                place,
                "periodic in some directions, no lattice vector in others",
                "three lattice vectors, or no periodicity",
                "Add vacuum and a full cell.",
            )
        lines += ["lattice " + " ".join(map(repr, row)) for row in frame.cell.tolist()]
    species = species_texts(frame.numbers, " {} 0.0 0.0 ")
    values = np.concatenate((frame.positions, frame.forces), axis=1)
    atoms = table_text(values, ("atom ", " ", " ", species, " ", " ", "\n"))
    end = [f"energy {value!r}", f"charge {frame.calculation.charge!r}", "end", ""]
    stream.write("\n".join(lines) + "\n" + atoms + "\n".join(end))


def _comment(frame: Frame) -> str:
    parts = [f"step={frame.ionic_step}"]
    if frame.kind:
        kind = frame.kind.replace('"', "'").replace("\n", " ").replace("\r", " ")
        parts.append(f'kind="{kind}"')
    if frame.calculation.code:
        # The format knows no level of theory: a file that mixes them must show it.
        level = " ".join(compat_key(frame.calculation).replace('"', "'").split())
        parts.append(f'level="{level.replace("=", ":")}"')
    if frame.calculation.source_name:
        parts.append(f"source={frame.calculation.source_name.split()[0]}")
    return " ".join(parts)
