"""``python -m mlmd``: everything of this package from the command line."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from collections.abc import Callable, Sequence

from mlmd import __version__
from mlmd.errors import MlmdError
from mlmd.runs import Stopped

EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130

# Each command is a module of mlmd.cli with register(subparsers); only the one that is asked
# for is imported, so that --help answers at once.
COMMANDS = {
    "convert": "convert DFT outputs and data sets",
    "train": "train a neural-network potential",
    "predict": "energies and forces of structures with a potential",
    "validate": "check a potential: curves, crystals, phonons, stability, speed",
    "md": "run molecular dynamics with a potential",
    "lammps": "read what LAMMPS left in a run directory",
    "aenet": "read what aenet's train.x left in a run directory",
    "potential": "write a potential in the files of n2p2 or aenet",
    "analyse": "g(r), diffusion and coordination of a trajectory",
    "export": "write a trajectory as extended XYZ or LAMMPS dump",
    "warm": "compile everything now, so that the first run starts at once",
}


def make_parser(command: str | None) -> argparse.ArgumentParser:
    """Return the parser, complete for one command and with bare names of the others."""
    parser = argparse.ArgumentParser(
        prog="mlmd",
        description="Machine-learning molecular dynamics: from DFT outputs to a potential, to "
        "molecular dynamics, to its analysis. Energies in eV, lengths in Å unless said otherwise.",
        epilog="Each command explains itself: mlmd COMMAND --help. Exit codes: 0 done, 1 partly "
        "done, 2 wrong input or usage, 124 time limit, 130 interrupted, 143 terminated; a run "
        "that was stopped has saved its state and goes on when started again.",
    )
    parser.add_argument("--version", action="version", version=f"mlmd {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        if name == command:
            importlib.import_module(f"mlmd.cli.{name}").register(subparsers)
        else:
            subparsers.add_parser(name, help=text)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the process's exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in words if not word.startswith("-")), None)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            parsed = make_parser(command).parse_args(words)
            run: Callable[[argparse.Namespace], int] = parsed.run
            return run(parsed)
        except Stopped as stopped:
            print(stopped, file=sys.stderr)
            return stopped.exit_code
        except MlmdError as error:
            print(f"error: {error}", file=sys.stderr)
            return EXIT_USER_ERROR
        except BrokenPipeError:
            # The reader (head, less) has seen enough; without this, Python complains at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            print(f"error: {place}{error.strerror or error}", file=sys.stderr)
            return EXIT_USER_ERROR
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return EXIT_INTERRUPTED


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    # People want the sentence, not the line of code that it comes from.
    if issubclass(category, UserWarning):
        print(f"note: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
