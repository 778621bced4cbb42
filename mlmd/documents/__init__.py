"""Teacher-data documents: the versioned, published JSON form of a labelled frame.

One document holds one frame and the calculation it came from. Field names are
OPTIMADE's where it has them; every number is in Å, eV, eV/Å or eV/Å³, stress is
Cauchy (tension positive). ``schema.json`` beside this file is the definition.
"""

from mlmd.documents.compatibility import compat_key, describe_mixture
from mlmd.documents.convert import (
    calculation_from_document,
    calculation_to_document,
    calculation_to_json,
    document_to_frame,
    frame_to_document,
    frame_to_json,
)
from mlmd.documents.fields import FieldRow, field_rows
from mlmd.documents.identity import label_identity, structure_hash
from mlmd.documents.schema import SCHEMA, SCHEMA_VERSION, upgrade, validate

__all__ = [
    "SCHEMA",
    "SCHEMA_VERSION",
    "FieldRow",
    "calculation_from_document",
    "calculation_to_document",
    "calculation_to_json",
    "compat_key",
    "describe_mixture",
    "document_to_frame",
    "field_rows",
    "frame_to_document",
    "frame_to_json",
    "label_identity",
    "structure_hash",
    "upgrade",
    "validate",
]
