"""Which pseudopotential files are at hand, and what each says of itself."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mlmd.codes.upf import HEADER_BYTES, UpfHeader, read_upf_header
from mlmd.errors import FormatError, InvalidInput

ENVIRONMENT = "ESPRESSO_PSEUDO"  # the variable that pw.x itself reads
SYSTEM_FOLDERS = (Path("/usr/share/espresso/pseudo"),)  # Debian's quantum-espresso-data
BIGGEST = 64 * 2**20


@dataclass(frozen=True)
class Pseudopotential:
    """A UPF file.

    Args:
        element: chemical symbol.
        path: where it is.
        sha256: of the whole file.
        valence: electrons it leaves to the calculation; None where the file doesn't say.
        cutoff: that it suggests for wave functions, Ry; None for no suggestion.
        title: its name for the run directory; empty for the name of the file.
    """

    element: str
    path: Path
    sha256: str
    valence: float | None = None
    cutoff: float | None = None
    title: str = ""

    @property
    def name(self) -> str:
        return self.title or self.path.name


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
            header = _header(path)
            if header and header.element not in table:
                table[header.element] = Pseudopotential(
                    element=header.element,
                    path=path,
                    sha256=_sha256(path),
                    valence=header.valence,
                    cutoff=header.cutoff,
                )
    return table


def pseudopotentials_for(
    elements: Iterable[str], table: dict[str, Pseudopotential], family: str = ""
) -> dict[str, Pseudopotential]:
    """Return the part of a table that some elements need.

    Args:
        elements: chemical symbols.
        table: pseudopotentials by element.
        family: what the table is called, for messages; empty for the folders of a machine.

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
            f"Add them to the family “{family}”, or choose another."
            if family
            else f"Put UPF files into the folder that {ENVIRONMENT} names on the portal's machine.",
        )
    return {element: table[element] for element in wanted}


def _header(path: Path) -> UpfHeader | None:
    """Return the header; None for what is no UPF."""
    if path.stat().st_size > BIGGEST:
        return None
    with path.open("rb") as stream:
        content = stream.read(HEADER_BYTES)
    try:
        return read_upf_header(content, path.name)
    except FormatError:
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
