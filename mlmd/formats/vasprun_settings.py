"""What a vasprun.xml says of how it computed, and whether its results are labels at all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from mlmd.elements import SYMBOLS, atomic_number
from mlmd.frame import Calculation

# Spellings of old or home-made files; VASP cuts symbols to two characters at the wrong end.
_ALIASES = {"X": "Xe", "r": "Zr"}

_GGA = {
    "PE": "PBE",
    "PS": "PBEsol",
    "RP": "RPBE",
    "RE": "revPBE",
    "91": "PW91",
    "CA": "LDA",
    "PZ": "LDA",
    "AM": "AM05",
    "B3": "B3LYP",
    "B5": "B3LYP",
    "OR": "optPBE",
    "BO": "optB88",
    "MK": "optB86b",
    "ML": "rev-vdW-DF2",
    "CX": "vdW-DF-cx",
}
_METAGGA = {
    "SCAN": "SCAN",
    "RSCAN": "rSCAN",
    "R2SCAN": "r2SCAN",
    "TPSS": "TPSS",
    "RTPSS": "revTPSS",
    "M06L": "M06-L",
    "MS0": "MS0",
    "MS1": "MS1",
    "MS2": "MS2",
}
_DISPERSION = {
    1: "D2",
    10: "D2",
    11: "D3(0)",
    12: "D3(BJ)",
    13: "D4",
    15: "libMBD",
    2: "TS",
    20: "TS",
    21: "TS-HI",
    202: "MBD",
    263: "MBD-FI",
    3: "D3",
    4: "dDsC",
}
_POTENTIAL_ONLY = frozenset(("MBJ", "LMBJ"))
_NOT_GROUND_STATE = re.compile(r"(EV|SC|QP)?GW0?R?K?|BSE|TDHF|TIMEEV|CHI|ACFDTR?K?|RPAR?K?|2E4W?.*")
_FIXED_DENSITY = 10


@dataclass
class Header:
    """What stands before the first ionic step, as text.

    Args:
        generator: program, version, …
        incar: the user's input.
        parameters: what VASP made of it.
        types: atom types: count, element, mass, valence, pseudopotential.
        elements: element and type of each atom.
        divisions: of the k-point mesh.
    """

    generator: dict[str, str] = field(default_factory=dict)
    incar: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    types: list[list[str]] = field(default_factory=list)
    elements: list[list[str]] = field(default_factory=list)
    divisions: str = ""

    def text(self, name: str) -> str:
        """Return a setting: what VASP used, else what the user wrote; without comments."""
        value = self.parameters.get(name, self.incar.get(name, ""))
        return re.split(r"[!#;]", value, maxsplit=1)[0].strip()

    def user_text(self, name: str) -> str:
        """Return a setting that only the user's input holds reliably."""
        value = self.incar.get(name, self.parameters.get(name, ""))
        return re.split(r"[!#;]", value, maxsplit=1)[0].strip()

    def number(self, name: str) -> float | None:
        """Return a setting as a number; None where it is absent or ``****``."""
        with suppress(ValueError):
            return float(self.text(name))
        return None

    def integer(self, name: str) -> int | None:
        """Return a setting as a whole number."""
        value = self.number(name)
        return None if value is None else int(value)

    def flag(self, name: str) -> bool:
        """Return a logical setting."""
        return self.text(name).strip(".").upper().startswith("T")

    @property
    def version(self) -> tuple[int, ...]:
        """Leading numbers of the version, for example (5, 4, 4); empty when unknown."""
        match = re.match(r"\D*(\d+)\.(\d+)(?:\.(\d+))?", self.generator.get("version", ""))
        return tuple(int(g) for g in match.groups() if g) if match else ()


def element_numbers(header: Header) -> list[int] | str:
    """Return the atomic number of each atom, or the symbol that can't be resolved.

    Where VASP's own symbol is unknown the title of the pseudopotential decides
    (``PAW_PBE Zr_sv 04Jan2005``).
    """
    known: dict[tuple[str, str], int] = {}
    numbers = []
    for element, kind in header.elements:
        key = (element, kind)
        if key not in known:
            number = atomic_number(_ALIASES.get(element, element)) or _from_title(header, kind)
            if number is None:
                return element
            known[key] = number
        numbers.append(known[key])
    return numbers


def _from_title(header: Header, kind: str) -> int | None:
    if not kind.isdigit() or not 0 < int(kind) <= len(header.types):
        return None
    words = header.types[int(kind) - 1][-1].split()
    return atomic_number(words[1].split("_")[0]) if len(words) > 1 else None


def refusal(header: Header) -> str:
    """Say why the results of this run are no labels; empty when they are."""
    charge = header.integer("ICHARG")
    if charge is not None and charge >= _FIXED_DENSITY:
        return f"a non-self-consistent run (ICHARG = {charge})"
    algorithm = header.user_text("ALGO").split()[0:1]
    if algorithm and _NOT_GROUND_STATE.fullmatch(algorithm[0].upper()):
        return f"a many-body run (ALGO = {algorithm[0]}), whose energies are no ground state's"
    steps = header.integer("NSW") or 0
    if header.integer("IBRION") == -1 and steps > 0:
        return f"a run that repeats one geometry (IBRION = −1, NSW = {steps})"
    meta = header.user_text("METAGGA").upper()
    if meta in _POTENTIAL_ONLY:
        return f"a potential without an energy functional (METAGGA = {meta})"
    return ""


def has_linear_response(header: Header) -> bool:
    """Say whether the electronic steps include those of a response calculation."""
    return (header.integer("IBRION") or 0) in (5, 6, 7, 8) or any(
        header.flag(name) for name in ("LEPSILON", "LCALCEPS", "LCHIMAG", "LNMR_SYM_RED")
    )


def calculation_of(header: Header, source_name: str, source_sha256: str) -> Calculation:
    """Return the calculation that the header describes."""
    return Calculation(
        code="vasp",
        version=header.generator.get("version", "").strip(),
        functional=_functional(header),
        dispersion=_dispersion(header),
        hubbard_u=_hubbard(header),
        cutoff_energy=header.number("ENMAX") or header.number("ENCUT"),
        k_points=_k_points(header),
        smearing=_smearing(header),
        spin=_spin(header),
        charge=_charge(header),
        pseudopotentials=_pseudopotentials(header),
        source_name=source_name,
        source_sha256=source_sha256,
        settings={name: header.user_text(name) for name in _KEPT if header.user_text(name)},
    )


_KEPT = ("PREC", "ALGO", "EDIFF", "EDIFFG", "LREAL", "IBRION", "NSW", "ISIF", "PSTRESS", "LASPH")


def _symbols(header: Header) -> list[str]:
    """Element of each type; types whose symbol is unknown keep what is written."""
    symbols = []
    for index, row in enumerate(header.types):
        raw = row[1] if len(row) > 1 else ""
        number = atomic_number(_ALIASES.get(raw, raw)) or _from_title(header, str(index + 1))
        symbols.append(SYMBOLS[number] if number else raw)
    return symbols


def _pseudopotentials(header: Header) -> dict[str, str]:
    titles: dict[str, str] = {}
    for symbol, row in zip(_symbols(header), header.types, strict=True):
        title = " ".join(row[-1].split())
        known = titles.get(symbol)
        titles[symbol] = title if known in (None, title) else f"{known} | {title}"
    return titles


def _functional(header: Header) -> str:
    semilocal = _semilocal(header)
    meta = _METAGGA.get(header.user_text("METAGGA").upper(), "")
    if header.flag("LHFCALC"):
        return _hybrid(header, meta or semilocal)
    if header.flag("LUSE_VDW"):
        return _van_der_waals(meta, header)
    return meta or semilocal


def _semilocal(header: Header) -> str:
    code = header.text("GGA").upper()
    if code in ("", "--", "NONE"):
        code = header.user_text("GGA").upper()
    if code not in ("", "--", "NONE"):
        return _GGA.get(code[:2], code)
    titles = [row[-1].split()[0].upper() for row in header.types if row and row[-1].split()]
    if not titles:
        return ""
    if all("PBE" in t for t in titles):
        return "PBE"
    if all("GGA" in t for t in titles):
        return "PW91"
    if not any("PBE" in t or "GGA" in t for t in titles):
        return "LDA"
    return ""


def _hybrid(header: Header, semilocal: str) -> str:
    share = header.number("AEXX")
    share = 0.25 if share is None else share
    screening = header.number("HFSCREEN") or 0.0
    if share >= 1 and screening == 0:
        return "HF"
    if semilocal == "B3LYP":
        return "B3LYP"
    names: Sequence[tuple[float, str]] = (
        (0.0, "PBE0"),
        (0.2, "HSE06"),
        (0.207, "HSE06"),
        (0.3, "HSE03"),
    )
    if semilocal == "PBE" and abs(share - 0.25) < 1e-3:
        for value, name in names:
            if abs(screening - value) < 1e-3:
                return name
    return f"{semilocal} hybrid (α = {share:g}, ω = {screening:g} Å⁻¹)"


def _van_der_waals(meta: str, header: Header) -> str:
    if meta:
        return f"{meta}+rVV10"
    exchange = _semilocal(header)
    kernel = header.number("ZAB_VDW")
    second = kernel is not None and abs(kernel + 1.8867) < 1e-3
    named: Mapping[str, str] = {
        "optPBE": "optPBE-vdW",
        "optB88": "optB88-vdW",
        "optB86b": "optB86b-vdW",
        "revPBE": "vdW-DF",
        "rev-vdW-DF2": "vdW-DF2" if second else "rev-vdW-DF2",
    }
    return named.get(exchange, f"{exchange} vdW-DF")


def _dispersion(header: Header) -> str:
    with suppress(ValueError):
        kind = int(float(header.user_text("IVDW")))
        if kind:
            return _DISPERSION.get(kind, f"IVDW {kind}")
    return "D2" if header.user_text("LVDW").strip(".").upper().startswith("T") else ""


def _hubbard(header: Header) -> dict[str, float]:
    if not header.flag("LDAU"):
        return {}
    try:
        u = [float(x) for x in header.text("LDAUU").split()]
        j = [float(x) for x in header.text("LDAUJ").split()]
    except ValueError:
        return {}
    j += [0.0] * (len(u) - len(j))
    effective = {
        symbol: round(a - b, 6) for symbol, a, b in zip(_symbols(header), u, j, strict=False)
    }
    return {symbol: value for symbol, value in effective.items() if value}


def _k_points(header: Header) -> tuple[int, int, int] | None:
    with suppress(ValueError):
        a, b, c = (int(x) for x in header.divisions.split())
        return (a, b, c)
    return None


def _smearing(header: Header) -> str:
    kind = header.integer("ISMEAR")
    if kind is None:
        return ""
    if kind <= -4:
        return "tetrahedron"
    names = {-3: "fixed", -2: "fixed", -1: "fermi-dirac", 0: "gaussian"}
    name = names.get(kind, f"methfessel-paxton {kind}")
    width = header.number("SIGMA")
    return name if name == "fixed" or width is None else f"{name} {width:g} eV"


def _spin(header: Header) -> str:
    if header.flag("LSORBIT"):
        return "spin-orbit"
    if header.flag("LNONCOLLINEAR"):
        return "non-collinear"
    return "collinear" if header.integer("ISPIN") == 2 else "none"


def _charge(header: Header) -> float:
    electrons = header.number("NELECT")
    try:
        valence = sum(int(row[0]) * float(row[3]) for row in header.types)
    except (ValueError, IndexError):
        return 0.0
    return 0.0 if electrons is None or not valence else round(valence - electrons, 6)
