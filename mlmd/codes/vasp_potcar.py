"""Which PAW potential an element gets, and how the POTCAR is put together on the cluster.

The files are licensed: they are read where the lab keeps them, and only their titles and hashes
come back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mlmd.codes.vasp_settings import Functional, VaspSettings
from mlmd.elements import SYMBOLS
from mlmd.errors import InvalidInput

SCRIPT_FILE, RECORD_FILE, COMPLAINT_FILE = "potcar.sh", "potcar.txt", "potcar.err"
PREFIX = "potpaw"
"""Recipes of a cluster whose names begin so are folders of potentials: ``potpaw_PBE.54``."""

# Suffixes that the VASP wiki recommends for standard calculations with potpaw.54 ("Available
# pseudopotentials", https://www.vasp.at/wiki); elements that aren't listed have none.
_RECOMMENDED = {
    "_sv": "Li K Ca Sc Ti V Rb Sr Y Zr Nb Mo Cs Ba W Fr Ra",
    "_pv": "Na Cr Mn Tc Ru Rh Hf Ta",
    "_d": "Ga Ge In Sn Tl Pb Bi Po",
    "_2": "Eu Yb",
    "_3": "Pr Nd Pm Sm Gd Tb Dy Ho Er Tm Lu",
}
_SUFFIX = {symbol: suffix for suffix, words in _RECOMMENDED.items() for symbol in words.split()}

ASSEMBLE = """\
# sh potcar.sh FOLDER TARGET VARIANT... : put TARGET/POTCAR together; note titles and hashes.
umask 077
folder=$1; target=$2; shift 2
missing=
for variant in "$@"; do
  [ -r "$folder/$variant/POTCAR" ] || [ -r "$folder/$variant/POTCAR.gz" ] || missing="$missing $variant"
done
if [ -n "$missing" ]; then
  printf 'no readable POTCAR for%s in %s\\n' "$missing" "$folder" | tee "$target/potcar.err" >&2
  exit 1
fi
hash() { if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi; }
text() { if [ -r "$1/POTCAR" ]; then cat "$1/POTCAR"; else gzip -dc "$1/POTCAR.gz"; fi; }
: > "$target/POTCAR"; : > "$target/potcar.txt"
for variant in "$@"; do
  text "$folder/$variant" >> "$target/POTCAR" || exit 1
  title=$(text "$folder/$variant" | sed -n 's/^ *TITEL *= *//p' | sed 1q)
  sum=$(text "$folder/$variant" | hash | cut -d ' ' -f 1)
  printf '%s\\t%s\\t%s\\n' "$variant" "$sum" "$title" >> "$target/potcar.txt"
done
"""


@dataclass(frozen=True)
class PotcarEntry:
    """A potential that a run used: what may be told of it."""

    variant: str
    sha256: str
    title: str


def variants_of(elements: Iterable[str], settings: VaspSettings) -> dict[str, str]:
    """Return the variant of each element: the chosen one, else the recommended one.

    Raises:
        InvalidInput: an element that has no potential.
    """
    chosen = settings.chosen_variants()
    wanted = sorted(set(elements))
    strange = [e for e in wanted if e not in SYMBOLS or SYMBOLS.index(e) > 96]
    if strange:
        raise InvalidInput(
            "potentials", f"none exists for {', '.join(strange)}", "elements from H to Cm"
        )
    return {element: chosen.get(element, element + _SUFFIX.get(element, "")) for element in wanted}


def fitting_set(names: Iterable[str], settings: VaspSettings) -> str:
    """Return the name of the cluster's set of potentials for a functional.

    Args:
        names: of the cluster's recipes.
        settings: name a set themselves, or leave the choice.

    Raises:
        InvalidInput: the cluster has no such set.
    """
    sets = sorted(name for name in names if name.lower().startswith(PREFIX))
    if settings.potentials:
        fitting = [name for name in sets if name == settings.potentials]
    else:
        # The oldest releases call the folder of LDA just potpaw.
        is_lda = settings.functional == Functional.LDA
        wrong = ("PBE", "GGA") if is_lda else ("LDA", "GGA")
        plain = [n for n in sets if not any(word in n.upper() for word in ("LDA", *wrong))]
        fitting = [n for n in sets if ("LDA" if is_lda else "PBE") in n.upper()]
        fitting.reverse()  # of several releases the newest
        fitting += plain if is_lda else []
    if not fitting:
        raise InvalidInput(
            "potentials",
            f"the cluster has {', '.join(sets) or 'no folder of potentials'}",
            settings.potentials or f"one for {settings.functional}",
            "Its manager adds a line to the cluster's codes, such as "
            "potpaw_PBE.54 = /group/gx00/vasp/potpaw_PBE.54",
        )
    return fitting[0]


def read_record(folder: Path) -> tuple[PotcarEntry, ...]:
    """Return what the assembly noted; nothing where it didn't come to it."""
    path = folder / RECORD_FILE
    if not path.is_file():
        return ()
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return tuple(PotcarEntry(*words) for words in lines if len(words) == 3)
