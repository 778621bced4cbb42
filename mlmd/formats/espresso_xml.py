"""pw.x's data-file-schema.xml (Quantum ESPRESSO 6.0 on), all schemas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mlmd.elements import atomic_number_of_label
from mlmd.formats.espresso_settings import calculation_of, species_masses
from mlmd.formats.issues import IssueLog
from mlmd.formats.source import Source
from mlmd.formats.xml import Node, Subtrees
from mlmd.formats.zero_smearing import energy_at_zero_smearing
from mlmd.frame import Calculation, FloatArray, Frame
from mlmd.units import BOHR, HARTREE

_WANTED = frozenset(("general_info", "input", "step", "output", "HEADER"))
_SKIPPED = frozenset(("symmetries", "ks_energies", "timing_info", "parallel_info", "k_point"))
_NOT_LABELS = frozenset(("nscf", "bands"))
# pw.x writes whatever its memory holds where it has not computed forces: denormal noise.
_UNINITIALISED = 1e-250


@dataclass
class _Run:
    """What the head of the file says about all its steps."""

    kind: str = ""
    calculation: Calculation = field(default_factory=Calculation)
    masses: dict[str, float] | None = None
    fixed: NDArray[np.bool_] | None = None
    grand_canonical: bool = False


def read_espresso_xml(source: Source, log: IssueLog) -> Iterator[tuple[str, Frame]]:
    """Yield (place, frame) of every ionic step, then of the final result if it is another one."""
    trees = Subtrees(source, log, _WANTED, _SKIPPED)
    run, general = _Run(), Node("general_info", {})
    steps = 0
    last: Frame | None = None
    has_output = False
    for node in trees:
        match node.name:
            case "HEADER":
                log.refuse("", _OLD_FORMAT, "data-file-schema.xml of pw.x 6.0 or newer", "")
                return
            case "general_info":
                general = node
            case "input":
                run = _run_of(node, general, source)
            case "step":
                place = f"step {steps + 1}"
                frame = _frame(node, run, steps, place, log)
                steps += 1
                if frame is not None:
                    last = frame
                    yield place, frame
            case "output":
                has_output = True
                yield from _final(node, run, steps, last, log)
    if trees.complete and not has_output and not steps:
        log.refuse(
            "", "no result, only an input", "the XML that pw.x writes when it ends", _WHERE_IT_IS
        )


_OLD_FORMAT = "the format of pw.x before 6.0, which holds no energies or forces"
_WHERE_IT_IS = "It is prefix.save/data-file-schema.xml."


def _run_of(node: Node, general: Node, source: Source) -> _Run:
    free = node.find("free_positions")
    fixed = None
    if free is not None:
        values = np.array(free.text.split(), dtype=np.int64)
        if values.size % 3 == 0 and (values == 0).any():
            fixed = values.reshape(-1, 3) == 0
    return _Run(
        kind=node.find_text("control_variables/calculation"),
        calculation=calculation_of(node, general, source),
        masses=species_masses(node),
        fixed=fixed,
        grand_canonical=node.find("fcp") is not None or node.find("gcscf") is not None,
    )


def _final(
    node: Node, run: _Run, steps: int, last: Frame | None, log: IssueLog
) -> Iterator[tuple[str, Frame]]:
    place = "final result"
    if run.kind in _NOT_LABELS:
        log.refuse(
            "",
            f"a non-self-consistent run ({run.kind})",
            "scf, relax, vc-relax, md or vc-md",
            "Its energy and forces are no labels; send the scf run before it.",
        )
        return
    frame = _frame(node, run, steps, place, log)
    if frame is None:
        return
    if last is not None:
        if _same(frame, last):
            return
        if run.kind == "vc-relax":
            frame = replace(frame, flags=(*frame.flags, "new-basis"))
            log.note(
                place,
                "computed with the plane waves of the final cell",
                action="Its energy differs by some meV from the steps before; flagged new-basis.",
            )
    yield place, frame


def _same(a: Frame, b: Frame) -> bool:
    return (
        a.positions.shape == b.positions.shape
        and a.energy is not None
        and b.energy is not None
        and abs(a.energy - b.energy) < 1e-9
        and bool(np.allclose(a.positions, b.positions, atol=1e-8))
        and bool(np.allclose(a.cell, b.cell, atol=1e-8))
    )


def _frame(node: Node, run: _Run, index: int, place: str, log: IssueLog) -> Frame | None:
    structure = node.find("atomic_structure")
    energy = node.find_text("total_energy/etot")
    if structure is None or not energy:
        log.lose(place, "no structure or no total energy", "both", "The step was left out.")
        return None
    try:
        numbers, positions, cell = _structure(structure, run)
        forces = _forces(node, len(numbers), place, log)
        stress = _matrix(node.find("stress"), 3)
        total = float(energy) * HARTREE
        entropy = float(node.find_text("total_energy/demet", "0")) * HARTREE
    except ValueError as error:
        log.lose(place, str(error), "numbers", "The step was left out.")
        return None
    converged = node.find("convergence_info/scf_conv/convergence_achieved") or node.find(
        "scf_conv/convergence_achieved"
    )
    charge = node.find_text("fcp_tot_charge")
    calculation = run.calculation
    if charge:
        calculation = replace(calculation, charge=float(charge))
    return Frame(
        numbers=numbers,
        positions=positions,
        cell=cell,
        energy=total,
        energy_sigma0=energy_at_zero_smearing(total, entropy, run.calculation.smearing),
        forces=forces,
        # pw.x prints −σ: a compressed cell has positive diagonal elements.
        stress=None if stress is None else -stress * (HARTREE / BOHR**3),
        magnetic_moments=_site_moments(node, len(numbers)),
        fixed=run.fixed if run.fixed is not None and len(run.fixed) == len(numbers) else None,
        ionic_step=index,
        label_source="ab initio",
        scf_converged=None if converged is None else converged.text.strip().lower() == "true",
        flags=("grand-canonical",) if run.grand_canonical else (),
        calculation=calculation,
    )


def _structure(node: Node, run: _Run) -> tuple[NDArray[np.uint8], FloatArray, FloatArray]:
    atoms = node.find("atomic_positions")
    cell = node.find("cell")
    if atoms is None or cell is None:
        raise ValueError("no atomic positions or no cell")
    known: dict[str, int] = {}
    for label in {a.attributes.get("name", "") for a in atoms.children}:
        number = atomic_number_of_label(label, (run.masses or {}).get(label))
        if number is None:
            raise ValueError(f"unknown element “{label[:20]}”")
        known[label] = number
    numbers = np.array([known[a.attributes.get("name", "")] for a in atoms.children], np.uint8)
    positions = np.array([a.text.split() for a in atoms.children], dtype=np.float64)
    vectors = np.array([v.text.split() for v in cell.children], dtype=np.float64)
    if positions.shape != (len(numbers), 3) or vectors.shape != (3, 3):
        raise ValueError("a position or a lattice vector without three components")
    declared = node.attributes.get("nat", "")
    if declared.strip().isdigit() and int(declared) != len(numbers):
        raise ValueError(f"{len(numbers)} atoms where nat says {int(declared)}")
    return numbers, positions * BOHR, vectors * BOHR


def _matrix(node: Node | None, rows: int) -> FloatArray | None:
    if node is None:
        return None
    values = np.array(node.text.split(), dtype=np.float64)
    if values.size != 3 * rows:
        raise ValueError(f"{values.size} values in {node.name}; {3 * rows} were expected")
    return values.reshape(rows, 3)


def _forces(node: Node, atoms: int, place: str, log: IssueLog) -> FloatArray | None:
    forces = _matrix(node.find("forces"), atoms)
    if forces is None:
        log.note(place, "no forces", action="Only the energy is used.")
        return None
    magnitude = np.abs(forces)
    if ((magnitude > 0) & (magnitude < _UNINITIALISED)).any():
        log.warn(
            place,
            "the forces are uninitialised memory (values below 10⁻²⁵⁰)",
            "computed forces",
            "They were left out; run pw.x with tprnfor = .true.",
        )
        return None
    return forces * (HARTREE / BOHR)


def _site_moments(node: Node, atoms: int) -> FloatArray | None:
    sites = node.find("magnetization/Scalar_Site_Magnetic_Moments")
    if sites is None or len(sites.children) != atoms:
        return None
    return np.array([float(s.text) for s in sites.children])
