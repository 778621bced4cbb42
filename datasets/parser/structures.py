"""What is stored of a structure. No Django here."""

from __future__ import annotations

from dataclasses import asdict

from ase import Atoms

from datasets.packing import pack_atoms
from datasets.parser.records import Record, RecordKind, elements_key, short_formula
from mlmd.documents import structure_hash
from mlmd.errors import InvalidInput
from mlmd.formats.atoms import atoms_to_frame
from mlmd.structure import structure_report


def structure_record(atoms: Atoms) -> Record:
    """Return what is stored of a structure: columns, its report, packed atoms.

    Raises:
        InvalidInput: no atoms, or one without an element.
    """
    if len(atoms) == 0:
        raise InvalidInput("structure", "no atoms", "at least one atom")
    frame = atoms_to_frame(atoms)
    report = structure_report(atoms)
    values = {
        "formula": short_formula(frame.numbers),
        "elements_key": elements_key(frame.numbers),
        "n_elements": len(set(frame.numbers.tolist())),
        "n_atoms": len(frame),
        "structure_hash": structure_hash(frame),
        "report": asdict(report),
    }
    return Record(RecordKind.STRUCTURE, values, pack_atoms(atoms))
