"""What a potential's card says: its numbers beside those of the data it was made from."""

from mlmd.validation.launching import (
    FRAMES_FILE,
    PARTIAL_FILE,
    REPORT_FILE,
    RUN_STATE_FILES,
    ValidationSpec,
    collect,
    launch_of,
    partial_report,
    prepare,
    run_directory,
)
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
from mlmd.validation.running import run_check, run_checks
from mlmd.validation.settings import (
    ValidationSettings,
    check_settings,
    settings_from_mapping,
)
from mlmd.validation.subject import Subject, subject_of

__all__ = [
    "FRAMES_FILE",
    "PARTIAL_FILE",
    "REPORT_FILE",
    "RUN_STATE_FILES",
    "Check",
    "CheckName",
    "CheckStatus",
    "Machine",
    "Mark",
    "MaterialSummary",
    "Plot",
    "Series",
    "SeriesKind",
    "Subject",
    "Table",
    "ValidationReport",
    "ValidationSettings",
    "ValidationSpec",
    "Value",
    "check_settings",
    "collect",
    "launch_of",
    "partial_report",
    "prepare",
    "report_from_json",
    "report_to_json",
    "run_check",
    "run_checks",
    "run_directory",
    "settings_from_mapping",
    "subject_of",
]
