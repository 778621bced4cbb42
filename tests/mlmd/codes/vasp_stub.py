"""A program in the place of `vasp_std`: checks what it was given, writes what VASP would.

It reads INCAR, KPOINTS, POSCAR and POTCAR of its folder, stops with VASP's words where they don't
belong together, and writes OUTCAR and a vasprun.xml (in the form of VASP 6.3) for the structure,
with a harmonic pair potential's energies and forces. A structure whose comment holds ``hard``
converges with ALGO = All only, one with ``crash`` ends like a crash, one with ``slow`` never ends.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from ase.io.vasp import read_vasp
from ase.neighborlist import neighbor_list

BOX = """ -----------------------------------------------------------------------------
|                                                                             |
|     EEEEEEE  RRRRRR   RRRRRR   OOOOOOO  RRRRRR      ###     ###     ###     |
|                                                                             |
|     {text:<71} |
|                                                                             |
 -----------------------------------------------------------------------------
"""


def stop(text: str) -> None:
    print(BOX.format(text=text))
    sys.exit(1)


def incar() -> dict[str, str]:
    pairs = (line.partition("=") for line in Path("INCAR").read_text().splitlines())
    return {key.strip(): value.strip() for key, _equals, value in pairs if key.strip()}


def titles() -> list[str]:
    text = Path("POTCAR").read_text()
    return [line.split("=")[1].strip() for line in text.splitlines() if "TITEL" in line]


def vectors(name: str, rows: np.ndarray, indent: str) -> str:
    lines = [f'{indent}<varray name="{name}" >']
    lines += [f"{indent} <v> " + " ".join(f"{x:16.8f}" for x in row) + " </v>" for row in rows]
    return "\n".join([*lines, f"{indent}</varray>"])


def labels(atoms) -> tuple[float, np.ndarray]:
    i, _j, d, r = neighbor_list("ijdD", atoms, 3.0)
    force = np.zeros((len(atoms), 3))
    np.add.at(force, i, (d - 2.4)[:, None] * r / d[:, None])
    return float(0.25 * ((d - 2.4) ** 2).sum() - 5.0 * len(atoms)), force


def main() -> None:
    print(" running on    1 total cores")
    settings, potcar = incar(), titles()
    comment = Path("POSCAR").read_text().splitlines()[0]
    species = Path("POSCAR").read_text().splitlines()[5].split()
    counts = [int(word) for word in Path("POSCAR").read_text().splitlines()[6].split()]
    if [title.split()[1].split("_")[0] for title in potcar] != species:
        stop(f"POTCAR has {potcar}, POSCAR has {species}")
    mesh = Path("KPOINTS").read_text().splitlines()
    if mesh[2][0] not in "gG" or len(mesh[3].split()) != 3:
        stop("KPOINTS is no mesh around Gamma")
    moments = settings.get("MAGMOM", "")
    given = sum(int(w.split("*")[0]) if "*" in w else 1 for w in moments.split())
    if settings.get("ISPIN") == "2" and given != sum(counts):
        stop(f"MAGMOM has {given} moments for {sum(counts)} atoms")
    if settings.get("LDAU") == ".TRUE." and len(settings["LDAUU"].split()) != len(species):
        stop("LDAUU has not one value for each species")
    if "crash" in comment:
        stop("The triple product of the basis vectors is negative!")
    if "slow" in comment:
        time.sleep(600)
    atoms = read_vasp("POSCAR")
    if np.linalg.det(atoms.cell.array) < 0:
        stop("The triple product of the basis vectors is negative!")
    converges = "hard" not in comment or settings["ALGO"] == "All"
    energy, forces = labels(atoms)
    Path("OUTCAR").write_text(
        "aborting loop because EDIFF is reached\n" if converges else "aborting loop EDIFF was not\n"
    )
    Path("WAVECAR").write_text("large")
    count = 3 if converges else int(settings["NELM"])
    cycle = "\n".join(
        f'  <scstep><energy><i name="e_fr_energy"> {energy + 1 / (n + 1):.8f} </i></energy></scstep>'
        for n in range(count)
    )
    rows = "".join(
        f"    <rc><c>{s} </c><c>{species.index(s) + 1:4d}</c></rc>\n"
        for s in atoms.get_chemical_symbols()
    )
    kinds = "".join(
        f"    <rc><c>{n:4d}</c><c>{s} </c><c>28.0</c><c>4.0</c><c> {title} </c></rc>\n"
        for n, s, title in zip(counts, species, potcar, strict=True)
    )
    given_values = "".join(f'  <i name="{k}"> {v}</i>\n' for k, v in settings.items())
    steps = int(settings["NSW"]) if settings["IBRION"] != "-1" else 1
    structure = f"""  <structure>
   <crystal>
{vectors("basis", atoms.cell.array, "    ")}
   </crystal>
{vectors("positions", atoms.get_scaled_positions(wrap=False), "   ")}
  </structure>"""
    step = f""" <calculation>
{cycle}
{structure}
{vectors("forces", forces, "  ")}
{vectors("stress", np.diag([10.0, 20.0, -30.0]), "  ")}
  <energy>
   <i name="e_fr_energy"> {energy:.8f} </i>
   <i name="e_wo_entrp"> {energy + 0.1:.8f} </i>
   <i name="e_0_energy"> {energy + 0.05:.8f} </i>
  </energy>
 </calculation>
"""
    Path("vasprun.xml").write_text(
        f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <generator>
  <i name="program" type="string">vasp </i>
  <i name="version" type="string">6.3.0  </i>
 </generator>
 <incar>
{given_values} </incar>
 <kpoints>
  <generation param="Gamma">
   <v type="int" name="divisions"> {mesh[3]} </v>
  </generation>
 </kpoints>
 <parameters>
  <separator name="electronic" >
   <i name="ENMAX"> {settings["ENCUT"]}</i>
   <i name="EDIFF"> {settings["EDIFF"]}</i>
   <i type="int" name="NELM"> {settings["NELM"]}</i>
   <i type="int" name="ISMEAR"> {settings["ISMEAR"]}</i>
   <i name="SIGMA"> {settings["SIGMA"]}</i>
  </separator>
 </parameters>
 <atominfo>
  <array name="atoms" >
   <set>
{rows}   </set>
  </array>
  <array name="atomtypes" >
   <set>
{kinds}   </set>
  </array>
 </atominfo>
"""
        + step * max(1, steps)
        + "</modeling>\n"
    )


if __name__ == "__main__":
    main()
