"""Symmetry functions, and the repulsion that networks needn't learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mlmd.hdnnp.pruning import Selection
from mlmd.hdnnp.repulsion import (
    INNER_FRACTION,
    OUTER_FRACTION,
    Repulsion,
    automatic_repulsion,
)
from mlmd.settings import about, numbers_in


@dataclass(frozen=True)
class DescriptorSettings:
    """What the networks see of the surroundings of an atom."""

    cutoff_radius: float = field(
        default=6.0,
        metadata=about(
            "Cutoff radius", "How far an atom sees its neighbours.",
            unit="Å", minimum=2.0, maximum=15.0,
        ),
    )  # fmt: skip
    radial_functions: int = field(
        default=8,
        metadata=about(
            "Radial functions", "Number of widths of the radial functions per neighbour element.",
            expert=True, minimum=2, maximum=32,
        ),
    )  # fmt: skip
    angular_widths: str = field(
        default="0.25 0.45 0.80",
        metadata=about(
            "Angular widths",
            "Reaches of the angular functions as fractions of the cutoff radius; empty for none.",
            expert=True,
        ),
    )
    angular_zetas: str = field(
        default="1 2 4",
        metadata=about(
            "Angular sharpness ζ", "Exponents of the angular functions, each with λ = +1 and −1.",
            expert=True,
        ),
    )  # fmt: skip
    descriptor_selection: Selection = field(
        default=Selection.CUR,
        metadata=about(
            "Choice of symmetry functions",
            "Which of the automatic ones are kept: none drops only constant and doubled ones; "
            "correlation keeps the cheaper of two that go together; farthest-point those that "
            "differ most; cur those that together tell the others.",
            expert=True,
        ),
    )
    descriptor_count: int | None = field(
        default=None,
        metadata=about(
            "Number of symmetry functions",
            "For each element at most, of farthest-point and cur.",
            expert=True, minimum=1, maximum=1000, empty="as many as the limit leaves",
        ),
    )  # fmt: skip
    correlation_limit: float = field(
        default=0.999,
        metadata=about(
            "Limit of correlation",
            "Two functions that correlate more say the same; of cur: the part of every "
            "function's spread that the kept ones have to tell.",
            expert=True, minimum=0.5, maximum=1.0,
        ),
    )  # fmt: skip
    symmetry_functions: str = field(
        default="",
        metadata=about(
            "Symmetry functions",
            "Lines symfunction_short … as in n2p2's input.nn, in Å, instead of the automatic ones; "
            "all that tell something are kept.",
            expert=True,
        ),
    )
    repulsion: bool = field(
        default=False,
        metadata=about(
            "Short-range repulsion (ZBL)",
            "Nuclei repel each other as Ziegler, Biersack and Littmark found, below the length of "
            "any bond; the networks learn the rest. Keeps hot and dense runs from falling together.",
        ),
    )
    repulsion_inner: float = field(
        default=INNER_FRACTION,
        metadata=about(
            "Inner radius of the repulsion",
            "Below it the repulsion is whole; as a part of the sum of the covalent radii.",
            expert=True, minimum=0.05, maximum=1.0,
        ),
    )  # fmt: skip
    repulsion_outer: float = field(
        default=OUTER_FRACTION,
        metadata=about(
            "Outer radius of the repulsion",
            "Where it ends; as a part of the sum of the covalent radii.",
            expert=True, minimum=0.1, maximum=1.2,
        ),
    )  # fmt: skip

    @property
    def widths(self) -> tuple[float, ...]:
        """Angular reaches as fractions of the cutoff radius."""
        return numbers_in(self.angular_widths, "training settings: angular_widths")

    @property
    def zetas(self) -> tuple[float, ...]:
        """Exponents ζ of the angular functions."""
        return numbers_in(self.angular_zetas, "training settings: angular_zetas")

    def repulsion_between(self, elements: Sequence[str]) -> Repulsion | None:
        """Return the repulsion between these elements; None where none was asked for."""
        if not self.repulsion:
            return None
        return automatic_repulsion(elements, self.repulsion_inner, self.repulsion_outer)
