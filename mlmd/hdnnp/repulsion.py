"""Short-range repulsion of nuclei under a network, after Ziegler, Biersack and Littmark (ZBL).

Frames of DFT hardly ever have atoms at half a bond's length, so a network says anything there, and
hot runs fall into what it says. Screened nuclear repulsion is known without any fit:

    V(r) = Z_i Z_j e²/(4πε₀ r) φ(r/a) + S(r),   a = 0.46850 Å / (Z_i^0.23 + Z_j^0.23)

S takes V to zero with slope and curvature at the outer radius, and is a constant below the inner
one: the form of LAMMPS' ``pair_style zbl``, so that both programs give the same numbers.

Sources: Ziegler, Biersack, Littmark, The Stopping and Range of Ions in Solids (Pergamon, 1985);
https://docs.lammps.org/pair_zbl.html (constants and S).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers, covalent_radii

from mlmd.errors import InvalidInput
from mlmd.frame import FloatArray
from mlmd.units import ENERGY, LENGTH

ZBL = "zbl.json"
FORM = "ziegler-biersack-littmark"
COULOMB = ENERGY["hartree"] * LENGTH["bohr"]  # e²/(4πε₀), eV Å
SCREENING_LENGTH, SCREENING_POWER = 0.46850, 0.23  # Å
SHARES = np.array([0.18175, 0.50986, 0.28022, 0.02817])
DECAYS = np.array([3.19980, 0.94229, 0.40290, 0.20162])

# As fractions of the sum of covalent radii. No bond is so short: triple bonds of C, N and O are
# 0.77 to 0.8 of their sum.
INNER_FRACTION, OUTER_FRACTION = 0.35, 0.7

# Columns of the table of a pair of elements.
INNER, OUTER, STRENGTH, INVERSE_LENGTH, CUBIC, QUARTIC, CONSTANT = range(7)
COLUMNS = 7

Pair = tuple[str, str]


@dataclass(frozen=True)
class Repulsion:
    """Which pairs of elements repel each other, and where that ends.

    Args:
        radii: pair of symbols, sorted by atomic number → inner and outer radius, Å.

    Raises:
        InvalidInput: an unknown element, a pair the wrong way round, or radii that aren't
            0 < inner < outer.
    """

    radii: Mapping[Pair, tuple[float, float]]

    def __post_init__(self) -> None:
        for pair, (inner, outer) in self.radii.items():
            where = f"repulsion of {'–'.join(pair)}"
            strange = [symbol for symbol in pair if atomic_numbers.get(symbol, 0) < 1]
            if strange:
                raise InvalidInput(where, f"element {strange[0]!r}", "element symbols")
            if pair != ordered(*pair):
                raise InvalidInput(where, "this order", "the lighter element first")
            if not 0.0 < inner < outer < np.inf:
                raise InvalidInput(
                    where, f"radii {inner:g} and {outer:g} Å", "0 < inner radius < outer radius"
                )

    @property
    def reach(self) -> float:
        """Largest outer radius, Å."""
        return max((outer for _, outer in self.radii.values()), default=0.0)

    def between(self, one: str, other: str) -> tuple[float, float] | None:
        """Return inner and outer radius of a pair in any order, Å; None where it has none."""
        return self.radii.get(ordered(one, other))


def ordered(one: str, other: str) -> Pair:
    """Return a pair of symbols sorted by atomic number."""
    return (one, other) if atomic_numbers[one] <= atomic_numbers[other] else (other, one)


def automatic_repulsion(
    elements: Sequence[str], inner: float = INNER_FRACTION, outer: float = OUTER_FRACTION
) -> Repulsion:
    """Return a repulsion between all elements, with radii from their covalent radii.

    Args:
        elements: symbols.
        inner: inner radius as a fraction of the sum of the covalent radii (Cordero et al. 2008,
            doi:10.1039/b801115j, as in ASE).
        outer: outer radius, likewise.
    """
    by_number = sorted(elements, key=lambda symbol: atomic_numbers[symbol])
    radii = {}
    for one, other in combinations_with_replacement(by_number, 2):
        total = float(covalent_radii[atomic_numbers[one]] + covalent_radii[atomic_numbers[other]])
        radii[one, other] = (inner * total, outer * total)
    return Repulsion(radii)


def repulsion_tables(
    repulsion: Repulsion, elements: Sequence[str], energy_unit: float = 1.0
) -> FloatArray:
    """Return what the kernel needs of every pair of elements.

    Args:
        repulsion: the radii.
        elements: symbols, in the order of the tables.
        energy_unit: of the results, eV.

    Returns:
        Columns `INNER` … `CONSTANT`, shape (elements, elements, columns), in Å and
        ``energy_unit``; zero where a pair has no repulsion.
    """
    tables = np.zeros((len(elements), len(elements), COLUMNS))
    for i, one in enumerate(elements):
        for j, other in enumerate(elements):
            radii = repulsion.between(one, other)
            if radii is not None:
                z = float(atomic_numbers[one]), float(atomic_numbers[other])
                tables[i, j] = _row(*z, *radii, energy_unit)
    return tables


def _row(z_i: float, z_j: float, inner: float, outer: float, energy_unit: float) -> FloatArray:
    strength = COULOMB * z_i * z_j / energy_unit
    inverse_length = (z_i**SCREENING_POWER + z_j**SCREENING_POWER) / SCREENING_LENGTH
    terms = SHARES * np.exp(-DECAYS * inverse_length * outer)
    rates = DECAYS * inverse_length
    value, slope, bend = terms.sum(), -(rates * terms).sum(), (rates**2 * terms).sum()
    # Of strength/r times that.
    energy = strength * value / outer
    first = strength * (slope / outer - value / outer**2)
    second = strength * (bend / outer - 2 * slope / outer**2 + 2 * value / outer**3)
    width = outer - inner
    cubic = (-3 * first + width * second) / width**2
    quartic = (2 * first - width * second) / width**3
    constant = -energy + width * first / 2 - width**2 * second / 12
    return np.array([inner, outer, strength, inverse_length, cubic / 3, quartic / 4, constant])


def pair_energies(rows: FloatArray, r: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return V and dV/dr of pairs nearer than their outer radius, each shape (P,).

    Args:
        rows: of `repulsion_tables`, one of each pair, shape (P, columns).
        r: distances, shape (P,), Å.
    """
    rates = DECAYS * rows[:, INVERSE_LENGTH, None]
    terms = SHARES * np.exp(-rates * r[:, None])
    value = rows[:, STRENGTH] / r * terms.sum(axis=1)
    slope = -rows[:, STRENGTH] / r * (rates * terms).sum(axis=1) - value / r
    t = np.maximum(r - rows[:, INNER], 0.0)
    value = value + rows[:, CONSTANT] + t**3 * (rows[:, CUBIC] + rows[:, QUARTIC] * t)
    return value, slope + t**2 * (3 * rows[:, CUBIC] + 4 * rows[:, QUARTIC] * t)


def save_repulsion(repulsion: Repulsion, folder: Path) -> None:
    """Write ``zbl.json``."""
    pairs = [
        {"elements": list(pair), "inner": inner, "outer": outer}
        for pair, (inner, outer) in repulsion.radii.items()
    ]
    content = {"form": FORM, "length_unit": "angstrom", "pairs": pairs}
    (folder / ZBL).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_repulsion(text: str | bytes) -> Repulsion:
    """Read the content of ``zbl.json``.

    Raises:
        InvalidInput: it is damaged, or says another form or unit.
    """
    try:
        content = json.loads(text)
        said = content["form"], content["length_unit"]
        rows = [
            (tuple(p["elements"]), float(p["inner"]), float(p["outer"])) for p in content["pairs"]
        ]
        radii = {(str(one), str(other)): (inner, outer) for (one, other), inner, outer in rows}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidInput(
            ZBL, f"not readable ({error!r})", "form, length_unit and pairs with their radii"
        ) from error
    if said != (FORM, "angstrom"):
        raise InvalidInput(ZBL, f"{said[0]} in {said[1]}", f"{FORM} in angstrom")
    if len(radii) != len(rows):
        raise InvalidInput(ZBL, "a pair of elements twice", "each pair once")
    return Repulsion(radii)
