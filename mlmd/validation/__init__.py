"""What a potential's card says: its numbers beside those of the data it was made from."""

from mlmd.validation.report import (
    Check,
    CheckName,
    CheckStatus,
    Machine,
    Mark,
    MaterialSummary,
    Plot,
    Series,
    SeriesKind,
    Table,
    ValidationReport,
    Value,
)
from mlmd.validation.report_json import report_from_json, report_to_json

__all__ = [
    "Check",
    "CheckName",
    "CheckStatus",
    "Machine",
    "Mark",
    "MaterialSummary",
    "Plot",
    "Series",
    "SeriesKind",
    "Table",
    "ValidationReport",
    "Value",
    "report_from_json",
    "report_to_json",
]
