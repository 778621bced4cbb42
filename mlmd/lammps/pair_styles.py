"""The lines by which LAMMPS takes a potential, in units metal.

Manuals: https://docs.lammps.org/pair_hdnnp.html (ML-HDNNP),
https://github.com/HidekiMori-CIT/aenet-lammps for ``pair_style aenet``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ase.data import atomic_numbers

from mlmd.hdnnp.repulsion import Repulsion
from mlmd.units import ENERGY, LENGTH

# LAMMPS compares neighbour distances with the style's cutoff: it has to reach a little further
# than the largest symmetry function, which is zero there anyway.
CUTOFF_MARGIN = 0.01  # Å
MAX_WARNINGS = 1_000_000  # LAMMPS' own default is 0: the first extrapolation would end the run
SUMMARY_EVERY = 1000  # steps between lines about extrapolations


@dataclass(frozen=True)
class PairStyle:
    """How a deck names a potential.

    Args:
        style: the line ``pair_style …``.
        coefficients: element of each atom type → the lines ``pair_coeff …``.
        elements: symbols that it knows.
        types: element of each atom type that the lines count on, whatever the structure has;
            empty where they take the types of the structure.
    """

    style: str
    coefficients: Callable[[Sequence[str]], tuple[str, ...]]
    elements: tuple[str, ...]
    types: tuple[str, ...] = ()

    def lines(self, types: Sequence[str]) -> tuple[str, ...]:
        """Return all lines for atom types of these elements."""
        return (self.style, *self.coefficients(types))


def hdnnp_style(
    elements: Sequence[str],
    cutoff: float,
    length_unit: str = "angstrom",
    energy_unit: str = "ev",
    folder: str = ".",
) -> PairStyle:
    """Return the lines for a potential in n2p2's files.

    Args:
        elements: that it knows.
        cutoff: of its largest symmetry function, Å.
        length_unit: of its files, a key of `mlmd.units.LENGTH`.
        energy_unit: of its files, a key of `mlmd.units.ENERGY`.
        folder: of its files, from where LAMMPS starts.
    """
    # cflength and cfenergy take LAMMPS' Å and eV to the potential's own units.
    style = (
        f'pair_style hdnnp {cutoff + CUTOFF_MARGIN:.6g} dir "{folder}" showew no '
        f"showewsum {SUMMARY_EVERY} resetew no maxew {MAX_WARNINGS} "
        f"cflength {1.0 / LENGTH[length_unit]:.10g} cfenergy {1.0 / ENERGY[energy_unit]:.10g}"
    )
    return PairStyle(style, _everything, tuple(elements))


def with_repulsion(style: PairStyle, repulsion: Repulsion) -> PairStyle:
    """Return a style with LAMMPS' own ``zbl`` laid over it.

    LAMMPS has one inner and one outer radius in each ``zbl``: there is one of them for every two
    radii that occur (https://docs.lammps.org/pair_zbl.html, pair_hybrid.html).
    """
    radii = sorted(set(repulsion.radii.values()))
    name = style.style.split()[1]
    whole = " ".join(
        ["pair_style hybrid/overlay", *style.style.split()[1:]]
        + [f"zbl {inner:.10g} {outer:.10g}" for inner, outer in radii]
    )

    def coefficients(types: Sequence[str]) -> tuple[str, ...]:
        lines = [
            " ".join([*line.split()[:3], name, *line.split()[3:]])
            for line in style.coefficients(types)
        ]
        for i, one in enumerate(types, start=1):
            for j, other in enumerate(types[i - 1 :], start=i):
                between = repulsion.between(one, other)
                if between is not None:
                    number = f" {radii.index(between) + 1}" if len(radii) > 1 else ""
                    z = f"{atomic_numbers[one]} {atomic_numbers[other]}"
                    lines.append(f"pair_coeff {i} {j} zbl{number} {z}")
        return tuple(lines)

    return PairStyle(whole, coefficients, style.elements, style.types)


def aenet_style(elements: Sequence[str], files: Sequence[str]) -> PairStyle:
    """Return the lines for networks of aenet.

    Args:
        elements: in the order of the files.
        files: one network of each element, named ``ELEMENT.REST`` with the same rest.
    """
    rest = files[0].split(".", 1)[1]

    def coefficients(types: Sequence[str]) -> tuple[str, ...]:
        known = " ".join(elements)
        return (f"pair_coeff * * v00 {known} {rest} {' '.join(types)}",)

    return PairStyle("pair_style aenet", coefficients, tuple(elements))


def _everything(types: Sequence[str]) -> tuple[str, ...]:
    return (f"pair_coeff * * {' '.join(types)}",)
