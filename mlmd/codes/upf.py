"""What a UPF file says of itself: element, functional, kind, valence, suggested cutoffs.

Both versions of the format are read: version 2 has attributes of ``PP_HEADER``, version 1 a value
before its name on each line (Quantum ESPRESSO, "Unified Pseudopotential Format").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlmd.elements import SYMBOLS
from mlmd.errors import FormatError

HEADER_BYTES = 64 * 1024
_KINDS = {"NC": "norm-conserving", "SL": "norm-conserving", "US": "ultrasoft", "USPP": "ultrasoft"}
_KINDS |= {"PAW": "PAW", "1/R": "Coulomb"}
# The last two words, gradient exchange and correlation, tell functionals apart.
_FUNCTIONALS = {
    ("SLA", "PZ", "NOGX", "NOGC"): "LDA",
    ("SLA", "PW", "NOGX", "NOGC"): "LDA",
    ("SLA", "PW", "PBX", "PBC"): "PBE",
    ("SLA", "PW", "PBE", "PBE"): "PBE",
    ("SLA", "PW", "PSX", "PSC"): "PBEsol",
    ("SLA", "PW", "RPB", "PBC"): "RPBE",
    ("SLA", "PW", "GGX", "GGC"): "PW91",
    ("SLA", "LYP", "B88", "BLYP"): "BLYP",
    ("SLA", "PW", "TPSS", "TPSS"): "TPSS",
    ("PBE",): "PBE",
    ("PBESOL",): "PBEsol",
    ("PZ",): "LDA",
    ("BLYP",): "BLYP",
}


@dataclass(frozen=True)
class UpfHeader:
    """A header that was read.

    Args:
        element: chemical symbol.
        functional: ``"PBE"``, ``"LDA"``, … or the file's own words.
        kind: norm-conserving, ultrasoft, PAW or Coulomb; empty where the file doesn't say.
        valence: electrons it leaves to the calculation; None where the file doesn't say.
        cutoff: suggested for wave functions, Ry; None for no suggestion.
        density_cutoff: suggested for the density, Ry; None for no suggestion.
        relativistic: ``"no"``, ``"scalar"`` or ``"full"``; empty where the file doesn't say.
    """

    element: str
    functional: str = ""
    kind: str = ""
    valence: float | None = None
    cutoff: float | None = None
    density_cutoff: float | None = None
    relativistic: str = ""


def read_upf_header(content: bytes, where: str = "UPF file") -> UpfHeader:
    """Read the header of a UPF file.

    Args:
        content: the file, or as much of its beginning as holds the header.
        where: how errors name it.

    Raises:
        FormatError: it is no UPF file, or names no element.
    """
    text = content.decode("latin-1")
    begin = text.find("<PP_HEADER")
    if begin < 0:
        raise FormatError(where, "no PP_HEADER", "a pseudopotential in UPF")
    head = text[begin : begin + 6000]
    attributes = dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', head.partition("<PP_MESH")[0]))
    header = _second(attributes) if "element" in attributes else _first(head)
    if header.element not in SYMBOLS[1:]:
        raise FormatError(where, f"the element {header.element[:10]!r}", "a chemical symbol")
    return header


def _second(values: dict[str, str]) -> UpfHeader:
    # Some say US of type and true of is_paw: the flags are what pw.x heeds.
    is_paw = values.get("is_paw", "").strip(". ").lower().startswith("t")
    kind = "PAW" if is_paw else values.get("pseudo_type", "").strip().upper()
    return UpfHeader(
        element=values["element"].strip().capitalize(),
        functional=_functional(values.get("functional", "")),
        kind=_KINDS.get(kind, ""),
        valence=_number(values.get("z_valence", "")),
        cutoff=_number(values.get("wfc_cutoff", "")) or None,
        density_cutoff=_number(values.get("rho_cutoff", "")) or None,
        relativistic=values.get("relativistic", "").strip().lower(),
    )


def _first(head: str) -> UpfHeader:
    lines = head.split("</PP_HEADER")[0].splitlines()[1:]

    def before(name: str) -> str:
        return next((line.split(name)[0].strip() for line in lines if name in line), "")

    kinds = [line.split()[0].upper() for line in lines if line.split()]
    cutoffs = before("Suggested").split()
    return UpfHeader(
        element=before("Element").capitalize(),
        functional=_functional(before("Exchange-Correlation")),
        kind=next((_KINDS[word] for word in kinds if word in _KINDS), ""),
        valence=_number(before("Z valence")),
        cutoff=(_number(cutoffs[0]) or None) if cutoffs else None,
        density_cutoff=(_number(cutoffs[1]) or None) if len(cutoffs) > 1 else None,
    )


def _functional(words: str) -> str:
    parts = re.split(r"[\s+-]+", words.strip().upper())
    for length in (len(parts), 4):
        if name := _FUNCTIONALS.get(tuple(parts[:length])):
            return name
    return " ".join(words.split())[:40]


def _number(text: str) -> float | None:
    try:
        return float(text.upper().replace("D", "E"))
    except ValueError:
        return None
