"""Quantum ESPRESSO: a batch of structures to a run directory, and its outputs to frames."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ase import Atoms

from mlmd.codes.batches import (
    AGAIN,
    NamedStructure,
    Outcome,
    StructureResult,
    folder_name,
    launch_of,
    naming,
    unfinished_because,
)
from mlmd.codes.espresso_input import PREFIX, input_text
from mlmd.codes.espresso_settings import CalculationKind, EspressoSettings
from mlmd.codes.k_points import k_mesh
from mlmd.codes.pseudopotentials import Pseudopotential, pseudopotentials_for
from mlmd.errors import InvalidInput, MlmdError
from mlmd.formats import open_frames
from mlmd.frame import Frame
from mlmd.launch import Command, Condition, Launch, Part, Resources
from mlmd.runs import read_json, write_json_atomic
from mlmd.units import BOHR

PROGRAM = "pw.x"
INPUT_FILE, OUTPUT_FILE, SPEC_FILE, TIDY_FILE = "pw.in", "pw.out", "spec.json", "tidy.sh"
_XML_FILES = (f"out/{PREFIX}.save/data-file-schema.xml", f"out/{PREFIX}.xml")
_DEFAULT_VALENCE = 8.0
# Si8, 20 Ry, 3×3×3 k-points took 9.5 s on one core; the estimate grows from there.
_SECONDS_PER_UNIT = 1.9e-7
_FOURIER_SHARE = 60.0
_NOT_REACHED = "convergence NOT achieved"  # what pw.x says of a self-consistency that gave up
_MOST_OUTPUT = 4 * 2**20  # bytes looked through for an error message

# Thousands of structures share a work folder with a quota, and each look lists its files.
TIDY = f"""\
# sh tidy.sh FOLDER : keep the results, not what pw.x works with.
for out in "$1/out" "$1/{AGAIN}/out"; do
  rm -f "$out"/{PREFIX}.wfc* "$out"/{PREFIX}.save/*.dat "$out"/{PREFIX}.save/*.hdf5 "$out"/{PREFIX}.save/*.[uU][pP][fF]
done
"""


@dataclass(frozen=True)
class EspressoSpec:
    """A batch.

    Args:
        structures: computed one after another.
        settings: for all of them.
        pseudopotentials: element → file.
        resources: of the whole batch.
    """

    structures: tuple[NamedStructure, ...]
    settings: EspressoSettings
    pseudopotentials: Mapping[str, Pseudopotential]
    resources: Resources


def prepare(spec: EspressoSpec, run_dir: Path) -> Launch:
    """Write inputs and pseudopotentials of a batch and say what to run.

    Raises:
        InvalidInput: no structures, one without a cell, or an element without pseudopotential.
    """
    if not spec.structures:
        raise InvalidInput("batch", "no structure", "at least one")
    elements = {s for named in spec.structures for s in named.atoms.get_chemical_symbols()}
    chosen = pseudopotentials_for(elements, dict(spec.pseudopotentials))
    names = {element: file.name for element, file in chosen.items()}
    (run_dir / "pseudo").mkdir()
    for file in chosen.values():
        shutil.copyfile(file.path, run_dir / "pseudo" / file.name)
    (run_dir / TIDY_FILE).write_text(TIDY, encoding="utf-8")
    parts = [
        _part(index, named, spec, names, run_dir) for index, named in enumerate(spec.structures)
    ]
    description = {
        "names": [named.name for named in spec.structures],
        "settings": spec.settings,
        "pseudopotentials": {e: {"name": f.name, "sha256": f.sha256} for e, f in chosen.items()},
    }
    write_json_atomic(run_dir / SPEC_FILE, description)
    return launch_of(parts, (OUTPUT_FILE, *_XML_FILES), OUTPUT_FILE, spec.resources)


def _part(
    index: int, named: NamedStructure, spec: EspressoSpec, names: dict[str, str], run_dir: Path
) -> Part:
    folder = folder_name(index)
    commands = [_write_try(named, spec.settings, names, folder, run_dir, spec.resources)]
    if spec.settings.second_try:
        again = _write_try(
            named, spec.settings.gentler(), names, f"{folder}/{AGAIN}", run_dir, spec.resources
        )
        commands.append(replace(again, only_if=Condition(f"{folder}/{OUTPUT_FILE}", _NOT_REACHED)))
    commands.append(Command(("sh", TIDY_FILE, folder), may_fail=True))
    return Part(folder, tuple(commands))


def _write_try(
    named: NamedStructure,
    settings: EspressoSettings,
    names: dict[str, str],
    folder: str,
    run_dir: Path,
    resources: Resources,
) -> Command:
    with naming(named):
        text = input_text(named.atoms, settings, names, outdir=f"./{folder}/out")
    (run_dir / folder).mkdir()
    (run_dir / folder / INPUT_FILE).write_text(text, encoding="utf-8")
    return Command(
        (PROGRAM, "-in", f"{folder}/{INPUT_FILE}"),
        stdout=f"{folder}/{OUTPUT_FILE}",
        mpi=resources.processes > 1,
        may_fail=True,
    )


def collect(run_dir: Path) -> list[StructureResult]:
    """Return what became of each structure; one that failed doesn't spoil the others.

    Raises:
        InvalidInput: the run directory has no readable `spec.json`.
    """
    names = read_json(run_dir / SPEC_FILE)["names"]
    return [
        _structure_result(index, str(name), run_dir / folder_name(index))
        for index, name in enumerate(names)
    ]


def _structure_result(index: int, name: str, folder: Path) -> StructureResult:
    result = _try_result(index, name, folder)
    if (folder / AGAIN / OUTPUT_FILE).is_file():
        second = _try_result(index, name, folder / AGAIN)
        if second.outcome == Outcome.CONVERGED or not result.frames:
            result = replace(second, frames=tuple(map(_noted, second.frames)))
    why = unfinished_because(folder)
    if result.outcome != Outcome.CONVERGED and why:
        # Of what it wrote until then only the whole steps of a relaxation are results.
        frames = tuple(frame for frame in result.frames if frame.scf_converged)
        return replace(result, outcome=Outcome.UNFINISHED, frames=frames, message=why)
    return result


def _noted(frame: Frame) -> Frame:
    """Return the frame with the note that the second try made it."""
    known = frame.calculation
    note = {"second_try": "gentler mixing"}
    return replace(frame, calculation=replace(known, settings={**known.settings, **note}))


def _try_result(index: int, name: str, folder: Path) -> StructureResult:
    frames: list[Frame] = []
    problems: list[str] = []
    for path in (*(folder / name for name in _XML_FILES), folder / OUTPUT_FILE):
        if not path.is_file():
            continue
        try:
            reader = open_frames(path)
            found = list(reader)
        except (MlmdError, OSError) as error:
            problems.append(str(error))
            continue
        # After a failed relaxation the text can hold more steps than the XML.
        if len(found) > len(frames):
            frames = found
    said = error_message(folder / OUTPUT_FILE)
    if not frames:
        words = said or " ".join(problems) or "pw.x left no result: it was stopped, or never began."
        return StructureResult(index, name, Outcome.FAILED, (), words)
    if said or any(frame.scf_converged is False for frame in frames):
        words = said or "The self-consistency did not converge; its frames are flagged."
        return StructureResult(index, name, Outcome.UNCONVERGED, tuple(frames), words)
    return StructureResult(index, name, Outcome.CONVERGED, tuple(frames))


def error_message(output: Path) -> str:
    """Return what pw.x said was wrong, from its output; empty where it said nothing."""
    if not output.is_file():
        return ""
    with output.open("rb") as stream:
        stream.seek(max(0, output.stat().st_size - _MOST_OUTPUT))
        text = stream.read().decode("utf-8", errors="replace")
    box = re.search(r"%{20,}\s*\n(.*?)\n\s*%{20,}", text, re.DOTALL)
    if box:
        return " ".join(box[1].split())[:400]
    if _NOT_REACHED in text:
        return "The self-consistency did not converge within the allowed steps."
    if text.strip() and "JOB DONE" not in text:
        return "pw.x ended before its job was done."
    return ""


def estimate_seconds(
    structures: Sequence[Atoms],
    settings: EspressoSettings,
    pseudopotentials: Mapping[str, Pseudopotential],
    cores: int = 1,
) -> float:
    """Return about how long a batch takes, s; a rough guess, from plane waves, bands and k-points."""
    total = 0.0
    for atoms in structures:
        valences = (_valence(pseudopotentials.get(s)) for s in atoms.get_chemical_symbols())
        bands = 0.6 * sum(valences) + 4
        waves = atoms.cell.volume / BOHR**3 * settings.cutoff**1.5 / (6 * math.pi**2)
        points = math.ceil(math.prod(k_mesh(atoms, settings.k_spacing)) / 2)
        effort = points * waves * bands * (bands + _FOURIER_SHARE) * (2 if settings.spin else 1)
        steps = 1 if settings.calculation == CalculationKind.SCF else settings.ionic_steps / 3
        total += 1.0 + effort * _SECONDS_PER_UNIT * steps
    return float(total) / max(1, cores)


def _valence(file: Pseudopotential | None) -> float:
    return _DEFAULT_VALENCE if file is None or file.valence is None else file.valence
