"""vasprun.xml of VASP 4.6 to 6.6: ionic steps, one at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from mlmd.errors import HostileInput
from mlmd.formats.issues import IssueLog
from mlmd.formats.number_block import parse_block, parse_text
from mlmd.formats.source import Source
from mlmd.formats.vasprun_cutter import LARGEST_BLOCK, Cutter
from mlmd.formats.vasprun_labels import LabelMaker
from mlmd.formats.vasprun_settings import Header
from mlmd.formats.xml import MAXIMUM_DEPTH, damage_report, new_parser
from mlmd.frame import FloatArray, Frame

_WANTED_BLOCKS = frozenset(("basis", "positions", "forces", "stress", "selective"))


_FREE_ENERGY = re.compile(rb'<i name="e_fr_energy">\s*([-+]?\d+\.\d*)\s*</i>')


@dataclass
class Step:
    """One ionic step as the file gives it.

    Args:
        line: where it begins.
        machine_learned: from a force field, not from electrons.
        blocks: name → (n, 3) numbers as written (fractional positions, stress in kB).
        damaged: name → what is wrong, for blocks that are no numbers.
        energies: the step's own energy block.
        has_energy: that block was closed.
        electronic: free energy of each electronic step.
    """

    line: int
    machine_learned: bool = False
    blocks: dict[str, FloatArray] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)
    energies: dict[str, str] = field(default_factory=dict)
    has_energy: bool = False
    electronic: list[float] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether structure, forces and energy have all been read to their ends."""
        seen = self.blocks.keys() | self.damaged.keys()
        return self.has_energy and {"basis", "positions", "forces"} <= seen


def read_vasprun(source: Source, log: IssueLog) -> Iterator[tuple[str, Frame]]:
    """Yield (place, frame) of every ionic step whose results are labels.

    Damaged files give every step that was complete; `log` says what was lost.
    """
    scanner = _Scanner(source.name)
    labels = LabelMaker(scanner.header, source, log)
    damage: expat.ExpatError | None = None
    try:
        for chunk in source.chunks():
            scanner.cutter.feed(chunk)
            for step in scanner.drain():
                yield from labels.frames(step, scanner.fixed)
            if labels.refused:
                return
        scanner.cutter.close()
    except expat.ExpatError as error:
        damage = error
    for step in scanner.drain(at_end=True):
        yield from labels.frames(step, scanner.fixed)
    if damage is not None and not labels.refused:
        damage_report(damage, log, labels.kept)
    labels.conclude(scanner.unfinished)


class _Scanner:
    """Turns expat's events into steps."""

    def __init__(self, name: str) -> None:
        self.header = Header()
        self.fixed: NDArray[np.bool_] | None = None
        self.unfinished: Step | None = None
        self._name = name
        self._steps: list[Step] = []
        self._step: Step | None = None
        self._path: list[str] = []
        self._text: list[str] = []
        self._text_size = 0
        self._item = ""
        self._block_name = ""
        self._block: FloatArray | str | None = None
        self._array = ""
        self._row: list[str] = []
        self._in_calculation = False
        parser = self._parser = new_parser(name)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._take_text
        self.cutter = Cutter(parser, self._take_block, name)

    def drain(self, at_end: bool = False) -> list[Step]:
        """Return the steps finished since the last call."""
        if at_end and self._step is not None:
            if self._step.is_whole:
                self._steps.append(self._step)
            else:
                self.unfinished = self._step
            self._step = None
        steps, self._steps = self._steps, []
        return steps

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._path.append(tag)
        if len(self._path) > MAXIMUM_DEPTH:
            raise HostileInput(
                self._name, f"elements nested deeper than {MAXIMUM_DEPTH}", "a file VASP wrote"
            )
        if tag != "v" or not self._block_name:
            self._text.clear()
            self._text_size = 0
        match tag:
            case "i" | "v":
                self._item = attributes.get("name", "")
            case "varray":
                self._block_name = attributes.get("name", "?")
                self._block = None
                self._text.clear()
            case "array":
                self._array = attributes.get("name", "")
            case "rc":
                self._row = []
            case "calculation":
                self._finish_step()
                self._step = Step(self._parser.CurrentLineNumber)
                self._in_calculation = True
            case "structure" if not self._in_calculation and not attributes and self._depth == 2:
                self._finish_step()
                self._step = Step(self._parser.CurrentLineNumber, machine_learned=True)

    def _take_text(self, text: str) -> None:
        self._text.append(text)
        self._text_size += len(text)
        if self._text_size > LARGEST_BLOCK:
            raise HostileInput(self._name, "a text of more than a GiB", "a file VASP wrote")

    @property
    def _depth(self) -> int:
        return len(self._path)

    def _end(self, tag: str) -> None:
        parent = self._path[-2] if len(self._path) > 1 else ""
        match tag:
            case "i":
                self._take_item(parent)
            case "v":
                if self._block_name:
                    self._text.append(" ")
                else:
                    self._take_item(parent)
            case "varray":
                self._end_block(parent)
            case "c":
                self._row.append("".join(self._text).strip())
            case "rc":
                self._take_row()
            case "energy":
                self._end_energy(parent)
            case "calculation":
                self._in_calculation = False
                self._finish_step()
        self._path.pop()

    def _finish_step(self) -> None:
        if self._step is not None:
            self._steps.append(self._step)
            self._step = None

    def _take_item(self, parent: str) -> None:
        name = self._item
        if parent == "energy":
            if self._step is not None:
                self._take_energy(name, "".join(self._text))
            return
        if self._step is not None:
            return
        text = "".join(self._text).strip()
        if parent == "generator":
            self.header.generator[name] = text
        elif parent == "incar":
            self.header.incar[name] = text
        elif parent == "generation" and name == "divisions":
            self.header.divisions = self.header.divisions or text
        elif "parameters" in self._path:
            # Response functions repeat names of the ground state further down.
            self.header.parameters.setdefault(name, text)

    def _take_energy(self, name: str, text: str) -> None:
        step = self._step
        if step is None:
            return
        if len(self._path) > 2 and self._path[-3] == "scstep":
            if name == "e_fr_energy":
                try:
                    step.electronic.append(float(text))
                except ValueError:
                    step.electronic.append(np.nan)
        else:
            step.energies[name] = text.strip()

    def _end_energy(self, parent: str) -> None:
        step = self._step
        if step is None or parent == "scstep":
            return
        step.has_energy = True
        if step.machine_learned:
            self._finish_step()

    def _take_row(self) -> None:
        if self._array == "atoms" and len(self._row) >= 2:
            self.header.elements.append(self._row[:2])
        elif self._array == "atomtypes":
            self.header.types.append(self._row)

    def _take_block(self, tag: bytes, body: bytes) -> bool:
        """Take the whole body of an element; False sends it through expat instead."""
        if tag == b"scstep":
            return self._take_electronic_step(body)
        if self._block_name not in _WANTED_BLOCKS:
            return True
        self._block = parse_block(body)
        return self._block is not None

    def _take_electronic_step(self, body: bytes) -> bool:
        found = _FREE_ENERGY.findall(body)
        if len(found) != 1 or self._step is None:
            return False
        self._step.electronic.append(float(found[0]))
        return True

    def _end_block(self, parent: str) -> None:
        name, self._block_name = self._block_name, ""
        if name not in _WANTED_BLOCKS:
            return
        if name == "selective":
            self._take_selective()
            return
        block = self._block
        if block is None:
            block = parse_text("".join(self._text).encode("ascii", "replace"))
        if self._step is None:
            return
        if name in ("forces", "stress") and parent not in ("calculation", "modeling"):
            return
        if isinstance(block, str):
            self._step.damaged[name] = block
        else:
            self._step.blocks[name] = block

    def _take_selective(self) -> None:
        words = "".join(self._text).split()
        if len(words) % 3 == 0 and words:
            free = np.array([w.strip(".").upper().startswith("T") for w in words])
            self.fixed = ~free.reshape(-1, 3)
