"""Which columns a snapshot holds: all that the filters and the orders of the catalog name."""

from __future__ import annotations

import hashlib

from datasets.filters import NUMBERS, WORDS

FORMAT = 1  # raise it when the meaning of a column changes
OF_CALCULATION = "calculation__"
OF_DATASET = "dataset__"

FRAME_ORDER = {
    "added": "pk",
    "formula": "formula",
    "atoms": "n_atoms",
    "energy": "energy_per_atom",
    "force": "max_force",
    "volume": "volume_per_atom",
    "above": "energy_above",
    "distance": "shortest_distance",
    "pressure": "pressure",
    "kind": "kind",
}
# Few values each: frames that share all of them form a group.
_ALWAYS = ("formula", "elements_key", "kind", "scf_converged", "has_stress")
_BOUNDED = {lookup.rsplit("__", 1)[0] for lookup, _kind in NUMBERS.values()}
_NAMED = {column for column in WORDS.values() if not column.startswith(OF_DATASET)}


def _sorted(columns: set[str]) -> tuple[str, ...]:
    return tuple(sorted(columns))


FRAME_WORDS = _sorted({*_ALWAYS, *(c for c in _NAMED if not c.startswith(OF_CALCULATION))})
CALCULATION_WORDS = _sorted(
    {"hubbard", *(c.removeprefix(OF_CALCULATION) for c in _NAMED if c.startswith(OF_CALCULATION))}
)
CALCULATION_NUMBERS = _sorted(
    {c.removeprefix(OF_CALCULATION) for c in _BOUNDED if c.startswith(OF_CALCULATION)}
)
FRAME_NUMBERS = _sorted(
    {
        *(c for c in _BOUNDED if not c.startswith(OF_CALCULATION)),
        *(c for c in FRAME_ORDER.values() if c != "pk" and c not in FRAME_WORDS),
    }
)


def layout_digest() -> str:
    """Return a word that changes with the columns, so that files of another layout aren't read."""
    columns = (FRAME_WORDS, CALCULATION_WORDS, CALCULATION_NUMBERS, FRAME_NUMBERS)
    return hashlib.sha256(repr((FORMAT, columns)).encode()).hexdigest()[:12]
