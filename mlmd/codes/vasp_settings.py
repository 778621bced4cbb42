"""Settings of a VASP calculation and the protocols that preset them (VASP wiki, 2025)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from mlmd.codes.protocols import Presets, Protocol, about
from mlmd.elements import SYMBOLS
from mlmd.errors import InvalidInput
from mlmd.settings import check, from_mapping

WHERE = "VASP settings"
# Arrays in the order of the POSCAR, and what decides which files there are, stay with the portal.
_OURS = frozenset({"MAGMOM", "LDAU", "LDAUL", "LDAUU", "LDAUJ", "LWAVE", "LCHARG", "ICHARG"})
_LINE = re.compile(r"(?P<key>[A-Za-z]\w*)\s*=\s*(?P<value>[\w .+\-*/%()]+)")
_ORBITALS = {"s": 0, "p": 1, "d": 2, "f": 3}
_NUMBER = r"[-+]?\d*\.?\d+"


class CalculationKind(StrEnum):
    """What is done with a structure."""

    STATIC = "static"
    RELAX = "relax"
    CELL_RELAX = "cell-relax"
    MD = "md"


class Functional(StrEnum):
    """Exchange and correlation."""

    PBE = "PBE"
    PBESOL = "PBEsol"
    RPBE = "RPBE"
    LDA = "LDA"
    SCAN = "SCAN"
    R2SCAN = "r2SCAN"
    HSE06 = "HSE06"


class Dispersion(StrEnum):
    """Corrections for van der Waals forces."""

    NONE = "none"
    D3 = "D3"
    D3BJ = "D3(BJ)"


class Material(StrEnum):
    """What decides the smearing."""

    AUTOMATIC = "automatic"
    METAL = "metal"
    INSULATOR = "insulator"
    UNKNOWN = "unknown"


class Algorithm(StrEnum):
    """How electrons are brought to self-consistency (ALGO)."""

    NORMAL = "Normal"
    FAST = "Fast"
    VERY_FAST = "VeryFast"
    ALL = "All"
    DAMPED = "Damped"


class Precision(StrEnum):
    """Grids (PREC)."""

    NORMAL = "Normal"
    ACCURATE = "Accurate"


@dataclass(frozen=True)
class Hubbard:
    """A correction of one element's orbital: DFT+U after Dudarev.

    Args:
        orbital: quantum number l.
        energy: effective U, eV.
    """

    orbital: int
    energy: float


@dataclass(frozen=True)
class VaspSettings:
    """Everything that VASP is told besides the atoms.

    Raises:
        InvalidInput: a value is out of range, or a further keyword isn't one.
    """

    calculation: CalculationKind = field(
        default=CalculationKind.STATIC,
        metadata=about(
            "Calculation",
            "static labels the structure as it is; relaxations and md give a frame a step.",
        ),
    )
    functional: Functional = field(
        default=Functional.PBE,
        metadata=about("Functional", "SCAN, r2SCAN and HSE06 take several times as long as PBE."),
    )
    dispersion: Dispersion = field(
        default=Dispersion.NONE, metadata=about("Dispersion", "For layers and molecules.")
    )
    cutoff: float = field(
        default=520.0,
        metadata=about(
            "Plane-wave cutoff",
            "ENCUT; at least 1.3 times the largest ENMAX of the elements when cells change.",
            unit="eV",
            minimum=100.0,
            maximum=3000.0,
        ),
    )
    k_spacing: float = field(
        default=0.25,
        metadata=about(
            "k-point spacing",
            "Largest distance of neighbouring k-points, 2π included; the mesh contains Γ.",
            unit="1/Å",
            minimum=0.02,
            maximum=10.0,
        ),
    )
    precision: Precision = field(
        default=Precision.ACCURATE, metadata=about("Precision", "PREC; forces need Accurate.")
    )
    threshold: float = field(
        default=1e-6,
        metadata=about(
            "SCF threshold", "EDIFF, of the cell.", unit="eV", minimum=1e-10, maximum=1e-1
        ),
    )
    algorithm: Algorithm = field(
        default=Algorithm.NORMAL, metadata=about("Algorithm", "ALGO; All is slower and safer.")
    )
    scf_steps: int = field(
        default=100, metadata=about("SCF steps", "NELM.", minimum=1, maximum=2000)
    )
    material: Material = field(
        default=Material.AUTOMATIC,
        metadata=about(
            "Material",
            "Decides the smearing: metal Methfessel–Paxton 0.2 eV, insulator tetrahedra where the "
            "mesh allows, else Gaussian 0.05 eV. Automatic: a metal when all elements are.",
        ),
    )
    smearing_width: float | None = field(
        default=None,
        metadata=about(
            "Smearing width", "SIGMA; empty: by material.", unit="eV", minimum=0.001, maximum=5.0
        ),
    )
    spin: bool = field(
        default=False, metadata=about("Spin", "Collinear spins, for magnetic materials.")
    )
    moments: str = field(
        default="",
        metadata=about(
            "Starting moments",
            "Of each element, μB: Fe 4; O 0.6. Moments of the structure itself come first; the "
            "rest start with 5 (d and f metals) or 0.6.",
        ),
    )
    hubbard_u: str = field(
        default="",
        metadata=about("Hubbard U", "Element, orbital and effective U in eV: Fe d 4.0; Ce f 5."),
    )
    ionic_steps: int = field(
        default=60,
        metadata=about("Ionic steps", "NSW of relaxations and md.", minimum=1, maximum=100000),
    )
    force_limit: float = field(
        default=0.02,
        metadata=about(
            "Force limit",
            "A relaxation ends when no force is larger.",
            unit="eV/Å",
            minimum=1e-5,
            maximum=1.0,
        ),
    )
    temperature: float = field(
        default=300.0,
        metadata=about(
            "Temperature", "Of md, with a Nosé thermostat.", unit="K", minimum=0.0, maximum=20000.0
        ),
    )
    final_temperature: float | None = field(
        default=None,
        metadata=about(
            "Final temperature", "Of md; empty: constant.", unit="K", minimum=0.0, maximum=20000.0
        ),
    )
    time_step: float = field(
        default=1.0, metadata=about("Time step", "Of md.", unit="fs", minimum=0.05, maximum=10.0)
    )
    keep_every: int = field(
        default=10,
        metadata=about(
            "Keep a step in",
            "Of md only one step in so many becomes a frame: neighbours are alike.",
            minimum=1,
            maximum=10000,
        ),
    )
    potentials: str = field(
        default="",
        metadata=about(
            "Set of potentials",
            "A folder of the cluster's recipes, such as potpaw_PBE.54; empty: its first that fits "
            "the functional.",
        ),
    )
    variants: str = field(
        default="",
        metadata=about("Variants", "Other than recommended: Ti Ti_pv; O O_h."),
    )
    ncore: int | None = field(
        default=None,
        metadata=about("NCORE", "Empty: from the processes.", minimum=1, maximum=4096),
    )
    kpar: int | None = field(
        default=None,
        metadata=about("KPAR", "Empty: from processes and k-points.", minimum=1, maximum=4096),
    )
    second_try: bool = field(
        default=True,
        metadata=about(
            "Second try",
            "What doesn't converge is tried once more with ALGO = All (Damped where it was All) "
            "and twice the steps.",
        ),
    )
    further: str = field(
        default="",
        metadata=about(
            "Further keywords", "Any other keyword of the INCAR: LREAL = Auto; NBANDS = 64"
        ),
    )

    def __post_init__(self) -> None:
        check(self, WHERE)
        self.keywords()
        self.moment_of()
        self.hubbard()
        self.chosen_variants()
        if self.potentials and not re.fullmatch(r"[\w.+-]+", self.potentials):
            raise InvalidInput(
                f"{WHERE}: potentials", repr(self.potentials), "a name such as potpaw_PBE.54"
            )

    def keywords(self) -> dict[str, str]:
        """Return the further keywords: name → value as it is written.

        Raises:
            InvalidInput: a part isn't ``KEY = value``, or is for the portal to set.
        """
        found: dict[str, str] = {}
        for line in _pieces(self.further):
            match = _LINE.fullmatch(line)
            if match is None:
                raise InvalidInput(
                    f"{WHERE}: further", repr(line[:80]), "KEY = value, with semicolons between"
                )
            key = match["key"].upper()
            if key in _OURS:
                raise InvalidInput(
                    f"{WHERE}: further",
                    f"the keyword {key}",
                    "one that isn't set by the portal",
                    "Use the settings for moments and Hubbard U; remove the others.",
                )
            found[key] = match["value"].strip()
        return found

    def moment_of(self) -> dict[str, float]:
        """Return the starting moments that were given: element → μB."""
        return {
            element: float(words[0])
            for element, words in self._elements("moments", self.moments, rf"({_NUMBER})")
        }

    def hubbard(self) -> dict[str, Hubbard]:
        """Return the corrections that were given, by element."""
        return {
            element: Hubbard(_ORBITALS[words[0]], float(words[1]))
            for element, words in self._elements(
                "hubbard_u", self.hubbard_u, rf"([spdf])\s+({_NUMBER})"
            )
        }

    def chosen_variants(self) -> dict[str, str]:
        """Return the variants that were chosen: element → folder in the set of potentials."""
        found = self._elements("variants", self.variants, r"([A-Z][\w.]*)")
        chosen = {element: words[0] for element, words in found}
        for element, variant in chosen.items():
            if re.split(r"[_.]", variant)[0] != element:
                raise InvalidInput(
                    f"{WHERE}: variants", f"{variant} for {element}", f"a variant of {element}"
                )
        return chosen

    def _elements(self, name: str, text: str, value: str) -> list[tuple[str, tuple[str, ...]]]:
        found = []
        for piece in _pieces(text):
            match = re.fullmatch(rf"([A-Z][a-z]?)[\s:=]+{value}", piece)
            if match is None or match[1] not in SYMBOLS:
                raise InvalidInput(
                    f"{WHERE}: {name}",
                    repr(piece[:40]),
                    "an element and its value, with semicolons between",
                )
            found.append((match[1], match.groups()[1:]))
        return found

    def gentler(self) -> VaspSettings:
        """Return the settings of the second try."""
        already = self.algorithm in (Algorithm.ALL, Algorithm.DAMPED)
        algorithm = Algorithm.DAMPED if already else Algorithm.ALL
        return replace(self, algorithm=algorithm, scf_steps=min(2000, 2 * self.scf_steps))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> VaspSettings:
        """Return settings from a JSON object; missing ones take their default."""
        return from_mapping(cls, values, WHERE)


def _pieces(text: str) -> list[str]:
    return [piece.strip() for piece in re.split(r"[;\n]", text) if piece.strip()]


protocol_settings = Presets(
    VaspSettings,
    WHERE,
    {
        Protocol.FAST: {
            "cutoff": 400.0,
            "k_spacing": 0.4,
            "threshold": 1e-5,
            "precision": Precision.NORMAL,
        },
        Protocol.MODERATE: {
            "cutoff": 520.0,
            "k_spacing": 0.25,
            "threshold": 1e-6,
            "precision": Precision.ACCURATE,
        },
        Protocol.PRECISE: {
            "cutoff": 680.0,
            "k_spacing": 0.15,
            "threshold": 1e-7,
            "precision": Precision.ACCURATE,
        },
    },
)
