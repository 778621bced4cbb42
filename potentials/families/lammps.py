"""Potentials of any pair style, with the lines by which LAMMPS takes them; only LAMMPS runs them.

The texts of the download are read next to programs, so they are English in every locale.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from django.utils.translation import gettext_lazy as _

from mlmd.errors import InvalidInput
from mlmd.lammps import PAIR_FILE, PairStyle, PairText, read_pair_lines
from potentials.families.base import Card, CatalogFamily, Facts
from potentials.families.hdnnp_files import lammps_input

MOST_BYTES = 400_000  # of the lines


def read_lines(files: Mapping[str, bytes]) -> PairText:
    """Return the checked lines of a potential's files.

    Raises:
        InvalidInput: no lines, or some that a deck mustn't take.
    """
    try:
        text = files[PAIR_FILE][:MOST_BYTES].decode()
    except (KeyError, UnicodeDecodeError) as error:
        raise InvalidInput(PAIR_FILE, "missing or no text", "the lines of a pair style") from error
    return read_pair_lines(text, files)


def facts_of_folder(folder: Path) -> Facts:
    """Return what the lines in a folder say; a cutoff of 0 where they don't say one.

    Raises:
        InvalidInput: as of `read_lines`.
    """
    found = read_lines({path.name: path.read_bytes() for path in folder.iterdir()})
    return Facts(found.elements, found.cutoff, "angstrom", "ev", 0)


def _style(facts: Facts, files: Mapping[str, bytes]) -> PairStyle:
    return read_lines(files).style


def _companions(card: Card) -> Mapping[str, bytes]:
    lines = tuple(read_pair_lines(card.lines).lines)
    texts = {"README.txt": _readme(card, lines), "in.lammps": lammps_input(card, lines)}
    return {name: text.encode() for name, text in texts.items()}


def _readme(card: Card, lines: tuple[str, ...]) -> str:
    pairs = "\n".join(lines)
    return f"""{card.name}, version {card.version}
{card.address}

Elements            {" ".join(card.facts.elements)}, the atom types in this order
Units               LAMMPS' metal: A, eV
Licence             {card.licence}
To be cited         {card.citation or "not stated; ask the owner"}
Comes from          {card.source or "not stated"}
Not to be used for  {card.not_for or "nothing was noted; validate it before you rely on it"}

LAMMPS, units metal, in this folder (see in.lammps):
{pairs}

sha256sum -c SHA256SUMS checks the files.
"""


def _plain(card: Card) -> str:
    return "\n".join(read_pair_lines(card.lines).lines) if card.lines else ""


LAMMPS_LINES = CatalogFamily(
    name="lammps",
    title=_("A pair style of LAMMPS"),
    short_title="LAMMPS",
    companions=_companions,
    lammps_lines=_plain,
    pair_style=_style,
    lammps_cost=10e-6,
    evaluated=False,
)
