"""VASP: a batch of structures to a run directory, and its vasprun.xml files to frames."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
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
from mlmd.codes.k_points import k_mesh
from mlmd.codes.vasp_input import (
    Ordered,
    Smearing,
    incar_text,
    k_points_text,
    ordered,
    poscar_text,
    smearing_of,
)
from mlmd.codes.vasp_potcar import (
    ASSEMBLE,
    COMPLAINT_FILE,
    RECORD_FILE,
    SCRIPT_FILE,
    PotcarEntry,
    read_record,
    variants_of,
)
from mlmd.codes.vasp_settings import CalculationKind, Functional, VaspSettings
from mlmd.errors import InvalidInput, MlmdError
from mlmd.formats import Issue, Severity, open_frames
from mlmd.frame import Frame
from mlmd.launch import Command, Condition, Launch, Part, Resources
from mlmd.runs import read_json, write_json_atomic
from mlmd.units import BOHR, RYDBERG

PROGRAM = "vasp_std"
OUTPUT_FILE, SPEC_FILE, PACK_FILE = "vasp.out", "spec.json", "pack.sh"
_RESULTS = ("vasprun.xml.xz", "vasprun.xml.gz", "vasprun.xml")
_REACHED = "EDIFF is reached"  # what VASP 4 to 6 write into the OUTCAR of a converged cycle
_MOST_OUTPUT = 2**20  # bytes looked through for an error message
_SECONDS_PER_UNIT = 4e-7  # with PAW about twice the effort of pw.x with soft potentials
_BANDS_PER_ATOM, _FOURIER_SHARE, _HYBRID = 5.0, 60.0, 30.0

# Potentials and charge densities are removed where they were made; results travel packed.
PACK = """\
# sh pack.sh FOLDER : pack the results, leave nothing licensed or large behind.
for folder in "$1" "$1/again"; do
  [ -d "$folder" ] || continue
  rm -f "$folder/POTCAR" "$folder/WAVECAR" "$folder/CHG" "$folder/CHGCAR"
  [ -f "$folder/vasprun.xml" ] || continue
  if command -v xz >/dev/null 2>&1; then xz -f "$folder/vasprun.xml"; else gzip -f "$folder/vasprun.xml"; fi
done
"""


@dataclass(frozen=True)
class VaspSpec:
    """A batch.

    Args:
        structures: each is a part of the run.
        settings: for all of them.
        potentials: absolute path, on the cluster, of the folder that holds the potentials.
        resources: of the run.
    """

    structures: tuple[NamedStructure, ...]
    settings: VaspSettings
    potentials: str
    resources: Resources


def prepare(spec: VaspSpec, run_dir: Path) -> Launch:
    """Write the inputs of a batch and say what to run.

    Raises:
        InvalidInput: no structures, one without a cell, or an element without a potential.
    """
    if not spec.structures:
        raise InvalidInput("batch", "no structure", "at least one")
    smearing = smearing_of([named.atoms for named in spec.structures], spec.settings)
    (run_dir / SCRIPT_FILE).write_text(ASSEMBLE, encoding="utf-8")
    (run_dir / PACK_FILE).write_text(PACK, encoding="utf-8")
    parts, orders = [], []
    for index, named in enumerate(spec.structures):
        with naming(named):
            structure = ordered(named.atoms)
            variants = variants_of(structure.species, spec.settings)
        folder = folder_name(index)
        chosen = [variants[s] for s in structure.species]
        _write(run_dir / folder, named.name, structure, spec, spec.settings, smearing)
        if spec.settings.second_try:
            again = run_dir / folder / AGAIN
            _write(again, named.name, structure, spec, spec.settings.gentler(), smearing)
        parts.append(_part(folder, chosen, spec))
        orders.append(structure.order)
    description = {
        "names": [named.name for named in spec.structures],
        "orders": orders,
        "settings": spec.settings,
    }
    write_json_atomic(run_dir / SPEC_FILE, description)
    kept = (OUTPUT_FILE, RECORD_FILE, COMPLAINT_FILE, *_RESULTS)
    return launch_of(parts, kept, OUTPUT_FILE, spec.resources)


def _write(
    folder: Path,
    name: str,
    structure: Ordered,
    spec: VaspSpec,
    settings: VaspSettings,
    smearing: Smearing,
) -> None:
    folder.mkdir()
    incar = incar_text(structure, settings, smearing, spec.resources)
    (folder / "INCAR").write_text(incar, encoding="utf-8")
    (folder / "KPOINTS").write_text(k_points_text(structure.atoms, settings.k_spacing))
    (folder / "POSCAR").write_text(poscar_text(structure, name), encoding="utf-8")


def _part(folder: str, variants: Sequence[str], spec: VaspSpec) -> Part:
    commands = [*_try(folder, variants, spec)]
    if spec.settings.second_try:
        gave_up = Condition(f"{folder}/OUTCAR", _REACHED, present=False)
        commands += [
            replace(command, only_if=gave_up)
            for command in _try(f"{folder}/{AGAIN}", variants, spec)
        ]
    return Part(folder, (*commands, Command(("sh", PACK_FILE, folder), may_fail=True)))


def _try(folder: str, variants: Sequence[str], spec: VaspSpec) -> tuple[Command, Command]:
    return (
        Command(("sh", SCRIPT_FILE, spec.potentials, folder, *variants)),
        Command(
            (PROGRAM,),
            stdout=f"{folder}/{OUTPUT_FILE}",
            mpi=spec.resources.nodes * spec.resources.processes > 1,
            may_fail=True,
            folder=folder,
        ),
    )


def collect(run_dir: Path) -> list[StructureResult]:
    """Return what became of each structure; one that failed doesn't spoil the others.

    Raises:
        InvalidInput: the run directory has no readable `spec.json`.
    """
    described = read_json(run_dir / SPEC_FILE)
    settings = VaspSettings.from_json(described["settings"])
    return [
        _structure_result(index, str(name), run_dir / folder_name(index), order, settings)
        for index, (name, order) in enumerate(
            zip(described["names"], described["orders"], strict=True)
        )
    ]


def potentials_used(run_dir: Path) -> dict[str, PotcarEntry]:
    """Return what the assembly noted of each variant, over all structures of a run."""
    folders = sorted(path for path in run_dir.iterdir() if path.is_dir())
    return {entry.variant: entry for folder in folders for entry in read_record(folder)}


def _structure_result(
    index: int, name: str, folder: Path, order: Sequence[int], settings: VaspSettings
) -> StructureResult:
    result = _try_result(index, name, folder)
    if any((folder / AGAIN / file).is_file() for file in (OUTPUT_FILE, *_RESULTS)):
        second = _try_result(index, name, folder / AGAIN)
        if second.outcome == Outcome.CONVERGED or not result.frames:
            note = {"second_try": f"ALGO = {settings.gentler().algorithm}"}
            result = replace(second, frames=tuple(_noted(f, note) for f in second.frames))
    frames = result.frames
    if settings.calculation == CalculationKind.MD:
        frames = frames[:: settings.keep_every]
    frames = tuple(_as_given(frame, order) for frame in frames)
    why = unfinished_because(folder)
    if result.outcome != Outcome.CONVERGED and why:
        kept = tuple(frame for frame in frames if frame.scf_converged)
        return replace(result, outcome=Outcome.UNFINISHED, frames=kept, message=why)
    return replace(result, frames=frames)


def _try_result(index: int, name: str, folder: Path) -> StructureResult:
    complaint = folder / COMPLAINT_FILE
    if complaint.is_file():
        words = complaint.read_text(encoding="utf-8", errors="replace").strip()
        advice = "The lab's manager checks the set of potentials in the cluster's codes."
        return StructureResult(index, name, Outcome.FAILED, (), f"POTCAR: {words}. {advice}")
    path = next((folder / file for file in _RESULTS if (folder / file).is_file()), None)
    frames, remarks = _read(path) if path is not None else ([], [])
    if not frames:
        words = error_message(folder / OUTPUT_FILE) or " ".join(str(r) for r in remarks[:2])
        words = words or "VASP left no result: it never began, or crashed."
        return StructureResult(index, name, Outcome.FAILED, (), words)
    if any(frame.scf_converged is False for frame in frames):
        words = "The self-consistency did not converge; its frames are flagged."
        return StructureResult(index, name, Outcome.UNCONVERGED, tuple(frames), words)
    lost = [str(r) for r in remarks if r.severity == Severity.LOST]
    if lost:
        return StructureResult(index, name, Outcome.UNCONVERGED, tuple(frames), lost[0])
    return StructureResult(index, name, Outcome.CONVERGED, tuple(frames))


def _read(path: Path) -> tuple[list[Frame], list[Issue]]:
    """Return the frames of a result and what its reader found wrong."""
    try:
        reader = open_frames(path)
        frames = list(reader)
    except (MlmdError, OSError) as error:
        return [], [Issue(Severity.LOST, path.name, str(error))]
    return frames, [issue for issue in reader.issues if issue.severity != Severity.NOTE]


def error_message(output: Path) -> str:
    """Return what VASP said was wrong, from its standard output; empty where it said nothing."""
    if not output.is_file():
        return ""
    with output.open("rb") as stream:
        stream.seek(max(0, output.stat().st_size - _MOST_OUTPUT))
        text = stream.read().decode("utf-8", errors="replace")
    # VASP 6 draws boxes: lines between bars, with a banner of letters on top.
    boxed = re.search(r"E\s+R\s+R\s+O\s+R|EEEEEEE.*?\n(.*?)-{20,}", text, re.DOTALL)
    if boxed and boxed[1]:
        lines = [line.strip(" |\r") for line in boxed[1].splitlines()]
        words = " ".join(line for line in lines if re.search(r"[a-z]{2}", line))
        if words:
            return " ".join(words.split())[:400]
    found = re.search(
        r"(VERY BAD NEWS!.*|.*\bERROR\b.*|Error EDDDAV.*|ZBRENT: fatal error.*|.*[Ss]egmentation fault.*)",
        text,
    )
    return " ".join(found[1].split())[:400] if found else ""


def _as_given(frame: Frame, order: Sequence[int]) -> Frame:
    """Return the frame with its atoms in the order of the structure that was asked for."""
    if len(order) != len(frame):
        return frame
    back = np.argsort(np.asarray(order))
    arrays = {
        name: value[back]
        for name in ("numbers", "positions", "forces", "magnetic_moments", "fixed")
        if (value := getattr(frame, name)) is not None
    }
    return replace(frame, **arrays)


def _noted(frame: Frame, note: Mapping[str, str]) -> Frame:
    known = frame.calculation
    return replace(frame, calculation=replace(known, settings={**known.settings, **note}))


def estimate_seconds(structures: Sequence[Atoms], settings: VaspSettings, cores: int = 1) -> float:
    """Return about how long a batch takes, s; a rough guess, from plane waves, bands and k-points."""
    total = 0.0
    for atoms in structures:
        bands = _BANDS_PER_ATOM * len(atoms) + 4
        cutoff = settings.cutoff / RYDBERG
        waves = atoms.cell.volume / BOHR**3 * cutoff**1.5 / (6 * math.pi**2)
        points = math.ceil(math.prod(k_mesh(atoms, settings.k_spacing)) / 2)
        effort = points * waves * bands * (bands + _FOURIER_SHARE) * (2 if settings.spin else 1)
        if settings.functional == Functional.HSE06:
            effort *= _HYBRID
        moves = settings.calculation != CalculationKind.STATIC
        total += 2.0 + effort * _SECONDS_PER_UNIT * (settings.ionic_steps / 3 if moves else 1)
    return float(total) / max(1, cores)
