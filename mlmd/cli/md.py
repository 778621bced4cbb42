"""``python -m mlmd md``: molecular dynamics with a potential."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from mlmd.cli.output import format_table, print_json
from mlmd.cli.structures import read_one_structure
from mlmd.errors import InvalidInput
from mlmd.hdnnp.devices import Device
from mlmd.launch import Resources
from mlmd.md import (
    Ensemble,
    MDResult,
    MDSettings,
    MDSpec,
    Stage,
    StageKind,
    prepare,
    run_directory,
    settings_from_mapping,
)
from mlmd.md.candidates import CANDIDATES_FILE
from mlmd.runs import read_json
from mlmd.settings import describe

_OPTIONS = (
    *("time_step", "sample_every", "trajectory_every", "seed", "threads", "thermostat_time"),
    *("disagreement_limit", "candidates"),
)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``python -m mlmd``."""
    parser = subparsers.add_parser(
        "md",
        help="run molecular dynamics with a potential",
        description="Run molecular dynamics: either what a prepared directory says (--run-dir), or "
        "one stage given by options. A directory with a saved state goes on from there. "
        "SIGTERM, SIGXCPU and Ctrl-C save the state and end the run in order.",
    )
    parser.add_argument("--run-dir", type=Path, help="directory with spec.json; goes on if begun")
    parser.add_argument("--potential", type=Path, metavar="DIR")
    parser.add_argument(
        "--committee",
        type=Path,
        metavar="DIR",
        help="run directory of a committee's training: write down how far its members disagree; "
        "its first member moves the atoms unless --potential names another",
    )
    parser.add_argument("--structure", type=Path, metavar="FILE", help="its last structure")
    parser.add_argument(
        "--repeat",
        type=int,
        nargs=3,
        default=(1, 1, 1),
        metavar=("A", "B", "C"),
        help="repeat the cell along its vectors",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="new run directory")
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="JSON",
        help="settings file (stages and all others) in place of the options below",
    )
    ensembles = [ensemble.value for ensemble in Ensemble]
    parser.add_argument("--ensemble", choices=ensembles, default=Ensemble.NVT_BUSSI.value)
    parser.add_argument("--temperature", type=float, default=300.0, help="K; default 300")
    parser.add_argument(
        "--temperature-end", type=float, help="K; heats or quenches in a straight line"
    )
    parser.add_argument("--pressure", type=float, default=0.0, help="GPa, of npt…; default 0")
    parser.add_argument(
        "--stress",
        default="",
        metavar="GPA",
        help="beside the pressure: 'xx yy zz' (npt-axes) or 'xx yy zz yz xz xy' (npt-full)",
    )
    parser.add_argument("--steps", type=int, default=10_000, help="default 10000")
    _add_settings(parser)
    parser.add_argument(
        "--device",
        choices=[device.value for device in Device],
        default=Device.AUTO.value,
        help="cpu, gpu (single precision), or auto: a GPU where there is one and the structure is "
        "large; default auto",
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run; return the exit code."""
    folder = arguments.run_dir or _prepare(arguments)
    # With --json, standard output belongs to the summary.
    result = run_directory(folder, stream=sys.stderr if arguments.json else None)
    if arguments.json:
        print_json(result)
    else:
        print(describe_result(result))
    return 0


def _add_settings(parser: argparse.ArgumentParser) -> None:
    for item in describe(MDSettings):
        if item.name in _OPTIONS:
            unit = f" ({item.unit})" if item.unit else ""
            default = "" if item.default is None else f" Default {item.default:g}."
            parser.add_argument(
                f"--{item.name.replace('_', '-')}",
                type=item.type,
                default=item.default,
                help=f"{item.label}{unit}. {item.help}{default}",
            )


def _prepare(arguments: argparse.Namespace) -> Path:
    committee: Path | None = arguments.committee
    if arguments.potential is None and committee is not None:
        arguments.potential = committee / "potential-1"
    for name in ("potential", "structure", "output"):
        if getattr(arguments, name) is None:
            raise InvalidInput(
                "command line", f"no --{name}", "--potential, --structure and -o, or --run-dir"
            )
    output: Path = arguments.output
    if (output / "spec.json").exists():
        raise InvalidInput(
            str(output), "a run", "an empty directory", f"To go on with it: --run-dir {output}"
        )
    atoms = read_one_structure(arguments.structure).repeat(tuple(arguments.repeat))
    spec = MDSpec(
        settings=_settings(arguments),
        atoms=atoms,
        potential=str(arguments.potential),
        resources=Resources(),
        committee=None if committee is None else str(committee),
    )
    prepare(spec, output)
    return output


def _settings(arguments: argparse.Namespace) -> MDSettings:
    if arguments.settings is not None:
        return settings_from_mapping(read_json(arguments.settings), str(arguments.settings))
    start, end = arguments.temperature, arguments.temperature_end
    kind = StageKind.HOLD
    if end is not None and end != start:
        kind = StageKind.HEAT if end > start else StageKind.QUENCH
    stage = Stage(
        arguments.steps,
        kind,
        Ensemble(arguments.ensemble),
        start,
        end,
        arguments.pressure,
        arguments.stress,
    )
    chosen = {name: getattr(arguments, name) for name in _OPTIONS}
    return replace(MDSettings(stages=(stage,)), device=Device(arguments.device), **chosen)


def describe_result(result: MDResult) -> str:
    """Return the summary of a run as a table and sentences."""
    rows = [
        (
            stage.index + 1,
            stage.kind,
            stage.ensemble,
            stage.steps,
            f"{stage.temperature:.1f}",
            None if stage.pressure is None else f"{stage.pressure:.3f}",
            None if stage.density is None else f"{stage.density:.4f}",
            None if stage.energy_drift is None else f"{stage.energy_drift:.4f}",
        )
        for stage in result.stages
    ]
    head = ("stage", "kind", "ensemble", "steps", "T/K", "p/GPa", "g/cm³", "drift/meV/atom/ps")
    lines = [format_table(head, rows)]
    lines += [
        f"first peak {'–'.join(peak.pair)}: {peak.position:.3f} Å"
        + ("" if peak.coordination is None else f", {peak.coordination:.2f} neighbours")
        for peak in result.first_peaks
    ]
    lines += [
        f"diffusion {item.element}: {item.value:.3g} cm²/s"
        + ("" if item.error is None else f" ± {item.error:.1g}")
        for item in result.diffusion
        if item.is_diffusive
    ]
    if result.seconds_per_atom_step:
        lines.append(f"{1e6 * result.seconds_per_atom_step:.3g} µs per atom and step")
    if result.largest_force_spread is not None:
        lines.append(
            f"the committee disagrees on forces by {result.largest_force_spread:.3g} meV/Å at most, "
            f"at step {result.largest_force_spread_step}"
        )
    if result.candidates:
        lines.append(
            f"{result.candidates} candidates to compute and to train on: {CANDIDATES_FILE}"
        )
    lines += [f"warning: {warning}" for warning in result.warnings]
    return "\n".join(lines)
