"""The input of pw.x: namelists, species, atoms and k-points as text."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from mlmd.codes.batches import check_cell
from mlmd.codes.espresso_settings import (
    NAMELISTS,
    CalculationKind,
    EspressoSettings,
    Smearing,
)
from mlmd.codes.k_points import k_mesh
from mlmd.errors import InvalidInput

PREFIX = "pwscf"


def input_text(
    atoms: Atoms,
    settings: EspressoSettings,
    pseudopotentials: Mapping[str, str],
    *,
    outdir: str = "./out",
    pseudo_dir: str = "./pseudo",
) -> str:
    """Return the text of a pw.x input file.

    Args:
        atoms: with a cell; positions are written as they are, in Å.
        settings: everything else.
        pseudopotentials: element → file name in `pseudo_dir`.
        outdir: where pw.x writes, relative to where it starts.
        pseudo_dir: where the pseudopotential files are.

    Raises:
        InvalidInput: no cell, or an element without a pseudopotential.
    """
    symbols = sorted(set(atoms.get_chemical_symbols()), key=atomic_numbers.__getitem__)
    _check(atoms, symbols, pseudopotentials)
    namelists = _namelists(atoms, settings, len(symbols), outdir, pseudo_dir)
    for namelist, keywords in settings.keywords().items():
        namelists[namelist] |= keywords
    lines: list[str] = []
    for name in NAMELISTS:
        if namelists[name] or name in ("CONTROL", "SYSTEM", "ELECTRONS"):
            lines += [f"&{name}", *(f"  {k} = {v}" for k, v in namelists[name].items()), "/"]
    lines.append("ATOMIC_SPECIES")
    lines += [
        f"  {s} {atomic_masses[atomic_numbers[s]]:.6f} {pseudopotentials[s]}" for s in symbols
    ]
    lines.append("CELL_PARAMETERS angstrom")
    lines += [_row(vector) for vector in atoms.cell.array]
    lines.append("ATOMIC_POSITIONS angstrom")
    for symbol, position in zip(atoms.get_chemical_symbols(), atoms.positions, strict=True):
        lines.append(f"  {symbol:<2}{_row(position)}")
    divisions = k_mesh(atoms, settings.k_spacing)
    lines += ["K_POINTS automatic", f"  {' '.join(map(str, divisions))} 0 0 0", ""]
    return "\n".join(lines)


def _check(atoms: Atoms, symbols: list[str], pseudopotentials: Mapping[str, str]) -> None:
    check_cell(atoms)
    missing = [symbol for symbol in symbols if symbol not in pseudopotentials]
    if missing:
        raise InvalidInput(
            "pseudopotentials", f"none for {', '.join(missing)}", "one for every element"
        )


def _namelists(
    atoms: Atoms, settings: EspressoSettings, species: int, outdir: str, pseudo_dir: str
) -> dict[str, dict[str, str]]:
    control = {
        "calculation": f"'{settings.calculation}'",
        "prefix": f"'{PREFIX}'",
        "outdir": f"'{outdir}'",
        "pseudo_dir": f"'{pseudo_dir}'",
        "tprnfor": ".true.",
        "tstress": ".true.",
        # With 'nowf' version 6.7 writes no XML, and says nothing about it.
        "disk_io": "'low'",
    }
    system = {
        "ibrav": "0",
        "nat": str(len(atoms)),
        "ntyp": str(species),
        "ecutwfc": f"{settings.cutoff:g}",
        "ecutrho": f"{settings.cutoff * settings.density_factor:g}",
    }
    if settings.smearing == Smearing.FIXED:
        system["occupations"] = "'fixed'"
    else:
        system["occupations"] = "'smearing'"
        system["smearing"] = f"'{settings.smearing}'"
        system["degauss"] = f"{settings.smearing_width:g}"
    if settings.spin:
        system["nspin"] = "2"
        for number in range(1, species + 1):
            system[f"starting_magnetization({number})"] = f"{settings.starting_magnetisation:g}"
    if settings.charge:
        system["tot_charge"] = f"{settings.charge:g}"
    electrons = {
        "conv_thr": f"{settings.threshold * len(atoms):.3e}",
        "mixing_beta": f"{settings.mixing:g}",
        "electron_maxstep": str(settings.scf_steps),
    }
    ions: dict[str, str] = {}
    cell: dict[str, str] = {}
    if settings.calculation != CalculationKind.SCF:
        control["nstep"] = str(settings.ionic_steps)
        ions["ion_dynamics"] = "'bfgs'"
    if settings.calculation == CalculationKind.CELL_RELAX:
        cell["cell_dynamics"] = "'bfgs'"
    return dict(zip(NAMELISTS, (control, system, electrons, ions, cell), strict=True))


def _row(values: np.ndarray) -> str:
    return "".join(f" {value:17.10f}" for value in values)
