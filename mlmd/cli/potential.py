"""``python -m mlmd potential``: a potential in the files of another program."""

from __future__ import annotations

import argparse
from pathlib import Path

from mlmd.aenet.conversion import as_aenet, as_n2p2
from mlmd.aenet.potential import AenetPotential
from mlmd.aenet.writing import Form, save_aenet
from mlmd.cli.output import print_json
from mlmd.errors import InvalidInput
from mlmd.hdnnp.files import save_potential
from mlmd.loading import read_potential

N2P2, AENET, ASCII = "n2p2", "aenet", "aenet-ascii"


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``python -m mlmd``."""
    parser = subparsers.add_parser(
        "potential",
        help="write a potential in the files of n2p2 or aenet",
        description="Read the folder of a potential and write it in the files of another program, "
        "where both have the same functions: aenet's G1, G2, G4 and G5 are n2p2's types 2, 3 and 9 "
        "with cutoff type 1. Chebyshev functions have no form in n2p2. Results stay the same.",
    )
    parser.add_argument("potential", type=Path, metavar="DIR", help="folder of n2p2 or of aenet")
    parser.add_argument(
        "--to",
        required=True,
        choices=(N2P2, AENET, ASCII),
        help="n2p2's files, aenet's binary ones, or the same as text, which aenet's programs don't read",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="new folder"
    )
    parser.add_argument("--json", action="store_true", help="print the files as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run; return the exit code.

    Raises:
        InvalidInput: the folder exists, or the potential has no form there.
    """
    folder: Path = arguments.output
    if folder.exists():
        raise InvalidInput(str(folder), "it exists", "a new folder", "Choose another name.")
    potential = read_potential(arguments.potential)
    if arguments.to == N2P2:
        if isinstance(potential, AenetPotential):
            potential = as_n2p2(potential)
        save_potential(potential, folder)
    else:
        if not isinstance(potential, AenetPotential):
            potential = as_aenet(potential)
        save_aenet(potential, folder, Form.ASCII if arguments.to == ASCII else Form.BINARY)
    files = sorted(folder.iterdir())
    if arguments.json:
        print_json([str(path) for path in files])
    else:
        print(*files, sep="\n")
    return 0
