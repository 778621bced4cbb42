"""The pages explain what there is: a field, flag or format without a word fails."""

from pathlib import Path

import pytest

from mlmd.documents import SCHEMA, SCHEMA_VERSION
from mlmd.formats import FrameFormat, Severity, StructureFormat

DOCS = Path(__file__).resolve().parents[3] / "docs"


def words(page):
    return (DOCS / page).read_text(encoding="utf-8")


def test_every_field_of_the_document_is_explained():
    fields = set(SCHEMA["properties"]) - {"last_modified", "calculation"}
    fields |= set(SCHEMA["properties"]["calculation"]["properties"])
    page = words("document.md")
    assert [f for f in sorted(fields) if f"`{f}`" not in page] == []
    assert f"`{SCHEMA_VERSION}`" in page


@pytest.mark.parametrize("name", [*StructureFormat, *Severity])
def test_every_structure_format_and_severity_is_explained(name):
    assert name.value in words("formats.md")


def test_every_frame_format_is_explained():
    titles = {
        FrameFormat.VASPRUN: "vasprun.xml",
        FrameFormat.ESPRESSO_XML: "data-file-schema.xml",
        FrameFormat.ESPRESSO_OUT: "pw.x text output",
        FrameFormat.EXTXYZ: "extended XYZ",
        FrameFormat.N2P2: "input.data",
        FrameFormat.JSONL: "JSON lines",
        FrameFormat.DEEPMD: "deepmd/npy",
        FrameFormat.ASE_DB: "ASE database",
        FrameFormat.AENET: "aenet's XSF",
    }
    assert set(titles) == set(FrameFormat)
    assert all(title in words("formats.md") for title in titles.values())
