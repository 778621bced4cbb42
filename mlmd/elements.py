"""Element symbols as codes write them, to atomic numbers."""

from __future__ import annotations

import re

from ase.data import atomic_masses, atomic_numbers, chemical_symbols

MAXIMUM_NUMBER = 118
SYMBOLS: tuple[str, ...] = tuple(chemical_symbols[: MAXIMUM_NUMBER + 1])
_NUMBERS = {s: int(z) for s, z in atomic_numbers.items() if 0 < z <= MAXIMUM_NUMBER}
# Deuterium and tritium are hydrogen to every electronic-structure code.
_NUMBERS |= {"D": 1, "T": 1}
_LABEL = re.compile(r"\s*([A-Za-z]{1,3})")


def atomic_number(symbol: str) -> int | None:
    """Return the atomic number of an exact symbol, or None."""
    return _NUMBERS.get(symbol)


def atomic_number_of_label(label: str, mass: float | None = None) -> int | None:
    """Return the atomic number behind a species label such as ``Fe1``, ``C_h`` or ``O-2``.

    Two letters win over one (``Co`` is cobalt), unless a mass is given that fits
    only the one-letter element.

    Args:
        label: species name.
        mass: amu, where the file gives it.
    """
    match = _LABEL.match(label)
    if match is None:
        return None
    letters = match.group(1)
    tried = (letters[:2].capitalize(), letters[:1].upper())
    candidates = [n for t in tried if (n := _NUMBERS.get(t)) is not None]
    if len(candidates) == 2 and candidates[0] != candidates[1] and mass is not None and mass > 0:
        return min(candidates, key=lambda z: abs(float(atomic_masses[z]) - mass))
    return candidates[0] if candidates else None
