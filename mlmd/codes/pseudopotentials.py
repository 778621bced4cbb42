"""Which pseudopotential files are at hand, and what each says of itself."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mlmd.elements import SYMBOLS
from mlmd.errors import InvalidInput

ENVIRONMENT = "ESPRESSO_PSEUDO"  # the variable that pw.x itself reads
SYSTEM_FOLDERS = (Path("/usr/share/espresso/pseudo"),)  # Debian's quantum-espresso-data
_HEADER_BYTES = 64 * 1024
_BIGGEST = 64 * 2**20


@dataclass(frozen=True)
class Pseudopotential:
    """A UPF file.

    Args:
        element: chemical symbol.
        path: where it is.
        sha256: of the whole file.
        valence: electrons it leaves to the calculation; None where the file doesn't say.
    """

    element: str
    path: Path
    sha256: str
    valence: float | None = None

    @property
    def name(self) -> str:
        return self.path.name


def pseudopotential_folders(own: Path | None = None) -> tuple[Path, ...]:
    """Return the folders to look in, the most particular first.

    Args:
        own: a folder of the site; may not exist.
    """
    named = os.environ.get(ENVIRONMENT)
    wanted = [own] if own else []
    wanted += [Path(named)] if named else []
    return tuple(folder for folder in (*wanted, *SYSTEM_FOLDERS) if folder.is_dir())


def pseudopotential_table(folders: Iterable[Path]) -> dict[str, Pseudopotential]:
    """Return one pseudopotential for each element.

    The first folder that has an element wins; within a folder the first name in the alphabet.
    Files that can't be read as UPF are passed over.
    """
    table: dict[str, Pseudopotential] = {}
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() != ".upf" or not path.is_file():
                continue
            element, valence = _header(path)
            if element and element not in table:
                table[element] = Pseudopotential(element, path, _sha256(path), valence)
    return table


def pseudopotentials_for(
    elements: Iterable[str], table: dict[str, Pseudopotential]
) -> dict[str, Pseudopotential]:
    """Return the part of a table that some elements need.

    Raises:
        InvalidInput: naming the elements that have none.
    """
    wanted = sorted(set(elements))
    missing = [element for element in wanted if element not in table]
    if missing:
        known = ", ".join(sorted(table)) or "none at all"
        raise InvalidInput(
            "pseudopotentials",
            f"no UPF file for {', '.join(missing)} (there are files for {known})",
            "one for each element of the structures",
            f"Put UPF files into the folder that {ENVIRONMENT} names on the portal's machine.",
        )
    return {element: table[element] for element in wanted}


def _header(path: Path) -> tuple[str, float | None]:
    """Return element and valence as the file states them; no element for what is no UPF."""
    if path.stat().st_size > _BIGGEST:
        return "", None
    with path.open("rb") as stream:
        text = stream.read(_HEADER_BYTES).decode("latin-1")
    begin = text.find("<PP_HEADER")
    if begin < 0:
        return "", None
    head = text[begin : begin + 4000]
    # Version 2 has attributes, version 1 a value before its name on each line.
    element = re.search(r'element\s*=\s*"\s*([A-Za-z]{1,2})\s*"', head) or re.search(
        r"^\s*([A-Za-z]{1,2})\s+Element", head, re.MULTILINE
    )
    valence = re.search(r'z_valence\s*=\s*"\s*([-+.\dEeDd]+)', head) or re.search(
        r"^\s*([-+.\dEeDd]+)\s+Z valence", head, re.MULTILINE
    )
    symbol = element[1].capitalize() if element else ""
    number = float(valence[1].replace("D", "E").replace("d", "e")) if valence else None
    return (symbol if symbol in SYMBOLS else ""), number


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
