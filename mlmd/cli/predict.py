"""``python -m mlmd predict``: energies and forces of structures with a potential."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols
from ase.formula import Formula

from mlmd.aenet.files import is_network, load_aenet
from mlmd.cli.output import Bar, format_table, print_json
from mlmd.cli.structures import Input, open_input, print_issues
from mlmd.errors import InvalidInput
from mlmd.formats import FrameFormat
from mlmd.frame import Frame
from mlmd.hdnnp.devices import Device
from mlmd.hdnnp.evaluator import AtomwiseEvaluator, Evaluation
from mlmd.hdnnp.files import INPUT, load_potential
from mlmd.hdnnp.potential import Units
from mlmd.loading import evaluator_of
from mlmd.units import ENERGY, LENGTH


@dataclass(frozen=True)
class Scale:
    """Units of the output: one of them in Å and eV."""

    length_unit: str
    energy_unit: str

    @property
    def energy(self) -> float:
        """One energy unit in eV."""
        return ENERGY[self.energy_unit]

    @property
    def force(self) -> float:
        """One force unit in eV/Å."""
        return ENERGY[self.energy_unit] / LENGTH[self.length_unit]


@dataclass(frozen=True)
class Prediction:
    """One structure: what the potential says, beside what the file says."""

    file: Path
    index: int
    frame: Frame
    evaluation: Evaluation
    scale: Scale


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``python -m mlmd``."""
    parser = subparsers.add_parser(
        "predict",
        help="energies and forces of structures with a potential",
        description="Evaluate a potential on every structure of files: n2p2 input.data, extended "
        "XYZ, vasprun.xml, pw.x XML, JSON lines, POSCAR, CIF and more. Results are in the units "
        "of the file: those of the potential for n2p2 data, eV and Å for all others.",
        epilog="Where the file holds energies and forces, the errors are printed, too. Exit codes: "
        "0 done, 1 parts of a file could not be used, 2 wrong input or usage.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path)
    parser.add_argument("--potential", required=True, type=Path, metavar="DIR")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object per structure and line"
    )
    parser.add_argument(
        "--length-unit", choices=sorted(LENGTH), help="of the potential, if it doesn't say"
    )
    parser.add_argument(
        "--energy-unit", choices=sorted(ENERGY), help="of the potential, if it doesn't say"
    )
    parser.add_argument("--threads", type=int, help="cores to use; all by default")
    parser.add_argument(
        "--device",
        choices=[device.value for device in Device],
        help="cpu, gpu (single precision), or auto for a GPU where there is one; default: what "
        "MLMD_DEVICE says, else cpu",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Predict; return the exit code."""
    evaluator, units = _open_potential(arguments)
    damaged, rows = False, []
    errors = _Errors()
    for path in arguments.files:
        source = open_input(path, units.length, units.energy)
        bar = Bar(path.name, None)
        for prediction in _predict(source, units, evaluator):
            errors.add(prediction)
            if arguments.json:
                print_json(_as_object(prediction), indent=None)
            else:
                rows.append(_as_row(prediction))
                bar.show(prediction.index + 1)
        bar.clear()
        print_issues(source.issues)
        damaged |= any(issue.severity.value in ("lost", "refused") for issue in source.issues)
    if not arguments.json:
        head = ("file", "index", "formula", "energy", "per atom", "largest force", "extrapolations")
        print(format_table(head, rows))
        print(errors.summary())
    return 1 if damaged else 0


def _open_potential(arguments: argparse.Namespace) -> tuple[AtomwiseEvaluator, Units]:
    """Return an evaluator for the folder of either family, and the units of its files."""
    folder: Path = arguments.potential
    if not (folder / INPUT).is_file() and any(map(is_network, folder.glob("*"))):
        return evaluator_of(load_aenet(folder), arguments.threads, arguments.device), Units()
    potential = load_potential(folder, arguments.length_unit, arguments.energy_unit)
    return evaluator_of(potential, arguments.threads, arguments.device), potential.units


def _predict(source: Input, units: Units, evaluator: AtomwiseEvaluator) -> Iterator[Prediction]:
    is_n2p2 = source.format == FrameFormat.N2P2.value
    scale = Scale(units.length, units.energy) if is_n2p2 else Scale("angstrom", "ev")
    for index, frame in enumerate(source.frames):
        try:
            found = evaluator.compute(frame.numbers, frame.positions, frame.cell, frame.pbc)
        except InvalidInput as error:
            place = f"{source.path}: structure {index + 1}: {error.where}"
            raise InvalidInput(place, error.found, error.expected, error.action) from error
        yield Prediction(source.path, index, frame, found, scale)


def _as_object(prediction: Prediction) -> dict[str, object]:
    found, scale = prediction.evaluation, prediction.scale
    return {
        "file": str(prediction.file),
        "index": prediction.index,
        "energy": found.energy / scale.energy,
        "forces": found.forces / scale.force,
        "length_unit": scale.length_unit,
        "energy_unit": scale.energy_unit,
        "extrapolations": found.extrapolation_count,
    }


def _as_row(prediction: Prediction) -> tuple[object, ...]:
    found, scale = prediction.evaluation, prediction.scale
    energy = found.energy / scale.energy
    atoms = len(prediction.frame)
    return (
        prediction.file.name,
        prediction.index,
        _formula(prediction.frame),
        f"{energy:.8f}",
        f"{energy / atoms:.6f}",
        f"{np.linalg.norm(found.forces, axis=1).max() / scale.force:.6f}",
        found.extrapolation_count,
    )


def _formula(frame: Frame) -> str:
    symbols = [chemical_symbols[number] for number in frame.numbers]
    return str(Formula.from_list(symbols).format("hill"))


class _Errors:
    """Errors against the file's own labels, over all structures, in eV and Å."""

    def __init__(self) -> None:
        self.energies: list[float] = []
        self.force_squares, self.components = 0.0, 0

    def add(self, prediction: Prediction) -> None:
        frame, found = prediction.frame, prediction.evaluation
        if frame.energy is not None:
            self.energies.append((found.energy - frame.energy) / len(frame))
        if frame.forces is not None:
            difference = found.forces - frame.forces
            self.force_squares += float(np.sum(difference**2))
            self.components += difference.size

    def summary(self) -> str:
        """Return the errors in a sentence."""
        parts = []
        if self.energies:
            rmse = 1000 * float(np.sqrt(np.mean(np.square(self.energies))))
            parts.append(f"energy {rmse:.3f} meV/atom ({len(self.energies)} structures)")
        if self.components:
            rmse = 1000 * float(np.sqrt(self.force_squares / self.components))
            parts.append(f"forces {rmse:.3f} meV/Å ({self.components} components)")
        if not parts:
            return "The files hold no energies or forces to compare with."
        return "Root mean square error against the files: " + ", ".join(parts)
