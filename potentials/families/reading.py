"""Recognises the files of a potential that was made elsewhere, whatever program wrote them."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labs.exceptions import Refused
from mlmd.aenet.files import load_aenet
from mlmd.hdnnp.files import INPUT, SCALING, UNITS, AssumedUnits, load_potential
from mlmd.lammps import PAIR_FILE
from potentials.families import aenet, lammps
from potentials.families.base import Facts
from potentials.families.hdnnp import facts


@dataclass(frozen=True)
class Reader:
    """How one family's own files are known and read.

    Args:
        family: key of the registry.
        program: that writes such files, for people.
        names: what its files are called.
        needed: files that must be there under this very name.
        facts: folder → what the files say; raises `mlmd.errors.InvalidInput`.
        says_units: whether the files mean one unit only.
        stored: (folder, files) → the files as the catalog keeps them.
        lacking: what to say where a needed file is missing; empty for the usual words.
    """

    family: str
    program: str
    names: re.Pattern[str]
    needed: frozenset[str]
    facts: Callable[[Path], Facts]
    says_units: bool
    stored: Callable[[Path, Mapping[str, bytes]], Mapping[str, bytes]] = lambda _, files: files
    lacking: str | Promise = ""


@dataclass(frozen=True)
class Recognised:
    """A potential that was read from files.

    Args:
        family: key of the registry.
        program: that writes such files.
        facts: what the files say.
        files: the potential's own, with ``units.json`` where the family has one.
        needs_units: nothing says the units; Å and eV were assumed.
    """

    family: str
    program: str
    facts: Facts
    files: Mapping[str, bytes]
    needs_units: bool


def _network_facts(folder: Path) -> Facts:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumedUnits)  # who brings the files is asked
        return facts(load_potential(folder))


# What files of LAMMPS' potentials are called; the lines beside them name those that are needed.
_LAMMPS_NAMES = (
    r"pair\.lammps|[\w+-][\w.+-]*\.(?:sw|tersoff|eam|alloy|fs|cdeam|adp|meam|comb3?|vashishta|edip|bop|"
    r"reaxff|ffield|airebo|rebo|lcbop|snapcoeff|snapparam|yace|almtp|mtp|pod|table|gw|poly|threebody|zbl|"
    r"ilp|kc|library)(?:\.\w+)?"
)

READERS = (
    Reader(
        family="hdnnp",
        program="n2p2",
        names=re.compile(r"input\.nn|scaling\.data|units\.json|zbl\.json|weights\.\d{3}\.data"),
        needed=frozenset({INPUT, SCALING}),
        facts=_network_facts,
        says_units=False,
    ),
    Reader(
        family="aenet",
        program="aenet",
        names=re.compile(r"[A-Za-z][\w.+-]*\.(?:nn|ann|ascii)"),
        needed=frozenset(),
        facts=lambda folder: aenet.facts(load_aenet(folder)),
        says_units=True,
        stored=lambda folder, _: aenet.catalog_files(folder),
    ),
    Reader(
        family="lammps",
        program="LAMMPS",
        names=re.compile(_LAMMPS_NAMES),
        needed=frozenset({PAIR_FILE}),
        lacking=gettext_lazy(
            "These are files of LAMMPS: write the lines pair_style and pair_coeff that name them under "
            "“More about it”, or bring the lines in a file pair.lammps."
        ),
        facts=lammps.facts_of_folder,
        says_units=True,
    ),
)


def owner_of(name: str) -> Reader | None:
    """Return the reader whose files have such a name; None for a file of no potential."""
    return next((reader for reader in READERS if reader.names.fullmatch(name)), None)


def recognise(
    files: Mapping[str, bytes], length_unit: str = "", energy_unit: str = ""
) -> Recognised:
    """Read a potential from its files.

    Args:
        files: name → content; only a potential's own files.
        length_unit: of the files, where they don't say it; empty if unknown.
        energy_unit: likewise.

    Raises:
        Refused: no potential, files of several programs, or some that are missing.
        mlmd.errors.InvalidInput: a damaged file; names file and line.
    """
    reader = _reader(files)
    content = dict(files)
    is_silent = not reader.says_units and UNITS not in content
    if is_silent and length_unit and energy_unit:
        said = {"length_unit": length_unit, "energy_unit": energy_unit}
        content[UNITS] = (json.dumps(said) + "\n").encode()
        is_silent = False
    with written(content) as folder:
        found = reader.facts(Path(folder))
        kept = reader.stored(Path(folder), content)
    return Recognised(reader.family, reader.program, found, kept, is_silent)


def written(files: Mapping[str, bytes]) -> TemporaryDirectory[str]:
    """Return a folder, to be used in ``with``, that holds the files under their names."""
    folder: TemporaryDirectory[str] = TemporaryDirectory(prefix="mlmd-potential-")
    for name, content in files.items():
        (Path(folder.name) / name).write_bytes(content)
    return folder


def _reader(files: Mapping[str, bytes]) -> Reader:
    owners = {name: owner_of(name) for name in files}
    strange = [name for name, reader in owners.items() if reader is None]
    if strange:
        raise Refused(_("“%(name)s” is no file of a potential.") % {"name": strange[0][:80]})
    readers = {reader.family: reader for reader in owners.values() if reader is not None}
    if not readers:
        raise Refused(
            _("No file of a potential is among them; expected are %(names)s.")
            % {"names": expected_names()}
        )
    if len(readers) > 1:
        programs = _joined(reader.program for reader in readers.values())
        raise Refused(
            _("These are files of several programs (%(programs)s); bring one potential at a time.")
            % {"programs": programs}
        )
    (reader,) = readers.values()
    missing = reader.needed - set(files)
    if missing and reader.lacking:
        raise Refused(str(reader.lacking))
    if missing:
        raise Refused(
            _("The potential lacks %(names)s, which %(program)s writes beside the others.")
            % {"names": ", ".join(sorted(missing)), "program": reader.program}
        )
    return reader


def expected_names() -> str:
    """Return which files a potential has, for messages and forms."""
    return _("input.nn, scaling.data and weights.ZZZ.data of n2p2, or the *.nn files of aenet")


def _joined(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
