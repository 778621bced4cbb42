"""What goes into the download of a potential beside its own files.

These texts are read by programs and next to programs, so they are English in every locale.
"""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent

from ase.data import atomic_masses, atomic_numbers

from mlmd.lammps.pair_styles import hdnnp_style, with_repulsion
from potentials.families.base import Card

_ZBL_WORDS = """

The nuclei repel each other at short distances as Ziegler, Biersack and Littmark found; zbl.json has
the radii. LAMMPS adds it by the lines below, ASE by itself; n2p2's programs don't know it, so what
they say of atoms that are nearer than the outer radii lacks it."""


def pair_lines(card: Card) -> tuple[str, ...]:
    """Return LAMMPS' ``pair_style`` and ``pair_coeff`` for ``units metal``."""
    facts = card.facts
    style = hdnnp_style(facts.elements, facts.cutoff_radius, facts.length_unit, facts.energy_unit)
    if card.repulsion is not None:
        style = with_repulsion(style, card.repulsion)
    return style.lines(facts.elements)


def companions(card: Card) -> Mapping[str, bytes]:
    """Return the README, a LAMMPS input and an ASE example for a potential in n2p2's files."""
    return example_files(
        card,
        pair_lines(card),
        "with the ML-HDNNP package",
        "n2p2 (nnp-predict, nnp-scaling, ...): run in this folder; input.data has to be in the "
        f"units above.{_ZBL_WORDS if card.repulsion is not None else ''}",
    )


def example_files(
    card: Card, lines: tuple[str, ...], package: str, programs: str
) -> Mapping[str, bytes]:
    """Return the README, a LAMMPS input and an ASE example for a potential.

    Args:
        card: what is known of it.
        lines: of LAMMPS, ``pair_style`` and ``pair_coeff``.
        package: that LAMMPS needs, in words.
        programs: a paragraph on the programs whose files these are.
    """
    texts = {
        "README.txt": _readme(card, lines, package, programs),
        "in.lammps": lammps_input(card, lines),
        "ase_example.py": _ase_example(card),
    }
    return {name: text.encode() for name, text in texts.items()}


def _readme(card: Card, lines: tuple[str, ...], package: str, programs: str) -> str:
    facts = card.facts
    errors = "not measured"
    if card.energy_rmse is not None:
        errors = f"energy {card.energy_rmse:.3g} meV/atom"
        if card.force_rmse is not None:
            errors += f", forces {card.force_rmse:.4g} meV/A"
    return f"""{card.name}, version {card.version}
{card.address}

Elements            {" ".join(facts.elements)}
Largest cutoff      {facts.cutoff_radius:.6g} A
Units of the files  length {facts.length_unit}, energy {facts.energy_unit}
Licence             {card.licence}
To be cited         {card.citation or "not stated; ask the owner"}
Comes from          {card.source or "not stated"}
Fitted to           {card.data}
Data checksum       {card.data_checksum or "unknown"}
Held-out RMSE       {errors}
Not to be used for  {card.not_for or "nothing was noted; validate it before you rely on it"}

{programs}

LAMMPS {package}, units metal (see in.lammps):
{chr(10).join(lines)}
pair_coeff names one element for each atom type of your data file, in the order of the types.

ASE: see ase_example.py. Without the web site: python -m mlmd predict --potential . FILE

sha256sum -c SHA256SUMS checks the files.
"""


def lammps_input(card: Card, lines: tuple[str, ...]) -> str:
    """Return an example of a deck with these pair lines."""
    pairs = "\n".join(lines)
    masses = "\n".join(
        f"mass {number} {atomic_masses[atomic_numbers[symbol]]:.6g}  # {symbol}"
        for number, symbol in enumerate(card.facts.elements, start=1)
    )
    return f"""# NVT molecular dynamics with {card.name}, version {card.version}
# structure.data: your structure as LAMMPS data, atom types in the order
# {" ".join(card.facts.elements)}; leave out what your data file doesn't have, here and below.
units metal
boundary p p p
atom_style atomic
read_data structure.data
{masses}

{pairs}

timestep 0.001
neighbor 1.0 bin
velocity all create 300.0 12345 mom yes rot no
fix run all nvt temp 300.0 300.0 0.1
thermo_style custom step temp pe ke etotal press vol
thermo 100
dump frames all custom 100 trajectory.dump id type x y z
dump_modify frames sort id
run 10000
"""


def _ase_example(card: Card) -> str:
    return dedent(
        f'''\
        """Energy and forces of a structure with {card.name}, version {card.version}."""

        import sys
        from pathlib import Path

        from ase.io import read

        import mlmd

        atoms = read(sys.argv[1])  # any file that ASE reads, with {", ".join(card.facts.elements)}
        atoms.calc = mlmd.load(Path(__file__).parent)
        print("energy (eV):", atoms.get_potential_energy())
        print("forces (eV/A):", atoms.get_forces(), sep="\\n")
        '''
    )
