"""What a pw.x XML says of how it computed: functional, cutoff, k-points, pseudopotentials."""

from __future__ import annotations

from contextlib import suppress

from mlmd.formats.source import Source
from mlmd.formats.xml import Node
from mlmd.frame import Calculation
from mlmd.units import HARTREE

_FUNCTIONALS = {
    "PZ": "LDA",
    "LDA": "LDA",
    "PBESOL": "PBEsol",
    "REVPBE": "revPBE",
    "HSE": "HSE06",
    "RVV10": "rVV10",
    "VDW-DF": "vdW-DF",
    "VDW-DF2": "vdW-DF2",
    "VDW-DF-CX": "vdW-DF-cx",
}
_LONG_NAMES = {
    "SLA PW TPSS TPSS": "TPSS",
    "SLA PZ NOGX NOGC": "LDA",
    "SLA PW NOGX NOGC": "LDA",
    "SLA PW PBX PBC": "PBE",
    "SLA PW PBE PBE": "PBE",
    "SLA PW PSX PSC": "PBEsol",
}
_SMEARING = {
    "mv": "marzari-vanderbilt",
    "mp": "methfessel-paxton",
    "fd": "fermi-dirac",
    "gaussian": "gaussian",
}
_DISPERSION = {
    "DFT-D": "D2",
    "GRIMME-D2": "D2",
    "TS": "TS",
    "XDM": "XDM",
    "MBD": "MBD",
    "MBD_VDW": "MBD",
}
_D3 = {"2": "D2", "3": "D3(0)", "4": "D3(BJ)", "5": "D3M(0)", "6": "D3M(BJ)"}


def calculation_of(node: Node, general: Node, source: Source) -> Calculation:
    """Return the calculation that the ``input`` element describes."""
    creator = general.find("creator")
    functional = node.find_text("dft/functional").upper()
    return Calculation(
        code="espresso",
        version=creator.attributes.get("VERSION", "") if creator is not None else "",
        functional=functional_name(functional),
        dispersion=_dispersion(node),
        hubbard_u=_hubbard(node),
        cutoff_energy=_scaled(node.find_text("basis/ecutwfc")),
        k_points=_k_points(node),
        smearing=_smearing(node),
        spin=_spin(node),
        charge=_number(node.find_text("bands/tot_charge")) or 0.0,
        pseudopotentials={
            s.attributes.get("name", ""): s.find_text("pseudo_file") for s in _species(node)
        },
        source_name=source.name,
        source_sha256=source.sha256,
        settings=_settings(node, functional),
    )


def species_masses(node: Node) -> dict[str, float]:
    """Return species name → mass in amu."""
    masses = {}
    for species in _species(node):
        mass = _number(species.find_text("mass"))
        if mass is not None:
            masses[species.attributes.get("name", "")] = mass
    return masses


def _species(node: Node) -> list[Node]:
    found = node.find("atomic_species")
    return [] if found is None else [c for c in found.children if c.name == "species"]


def functional_name(name: str) -> str:
    """Return the usual name of what pw.x calls a functional."""
    words = " ".join(name.replace("+", " ").split())
    return _LONG_NAMES.get(words) or _FUNCTIONALS.get(words, words)


def _dispersion(node: Node) -> str:
    kind = node.find_text("dft/vdW/vdw_corr").upper()
    if kind in ("", "NONE"):
        return ""
    if kind in ("DFT-D3", "GRIMME-D3"):
        return _D3.get(node.find_text("dft/vdW/dftd3_version", "3"), "D3")
    return _DISPERSION.get(kind, kind)


def _hubbard(node: Node) -> dict[str, float]:
    correction = node.find("dft/dftU")
    values: dict[str, float] = {}
    for child in correction.children if correction is not None else ():
        value = _scaled(child.text)
        if child.name == "Hubbard_U" and value:
            values[child.attributes.get("specie", "")] = round(value, 6)
    return values


def _smearing(node: Node) -> str:
    smearing = node.find("bands/smearing")
    if smearing is None:
        return node.find_text("bands/occupations")
    name = smearing.text.strip().lower()
    width = _scaled(smearing.attributes.get("degauss", ""))
    return f"{_SMEARING.get(name, name)} {width:.4g} eV" if width is not None else name


def _k_points(node: Node) -> tuple[int, int, int] | None:
    mesh = node.find("k_points_IBZ/monkhorst_pack")
    if mesh is None:
        return None
    with suppress(KeyError, ValueError):
        return (
            int(mesh.attributes["nk1"]),
            int(mesh.attributes["nk2"]),
            int(mesh.attributes["nk3"]),
        )
    return None


def _spin(node: Node) -> str:
    for name, spin in (
        ("spinorbit", "spin-orbit"),
        ("noncolin", "non-collinear"),
        ("lsda", "collinear"),
    ):
        if node.find_text(f"spin/{name}").lower() == "true":
            return spin
    return "none"


def _settings(node: Node, functional: str) -> dict[str, object]:
    settings: dict[str, object] = {
        "calculation": node.find_text("control_variables/calculation"),
        "prefix": node.find_text("control_variables/prefix"),
        "functional": functional,
        "conv_thr_ha": _number(node.find_text("electron_control/conv_thr")),
        "ecutrho_ev": _scaled(node.find_text("basis/ecutrho")),
    }
    pressure = _number(node.find_text("cell_control/pressure"))
    if pressure:
        settings["target_pressure_ha_bohr3"] = pressure
    isolated = node.find_text("boundary_conditions/assume_isolated")
    if isolated and isolated != "none":
        settings["assume_isolated"] = isolated
    for name in ("exx_fraction", "screening_parameter"):
        value = _number(node.find_text(f"dft/hybrid/{name}"))
        if value is not None:
            settings[name] = value
    return {k: v for k, v in settings.items() if v not in (None, "")}


def _number(text: str) -> float | None:
    with suppress(ValueError):
        return float(text)
    return None


def _scaled(text: str) -> float | None:
    """A value in Hartree, as eV."""
    value = _number(text)
    return None if value is None else value * HARTREE
