"""The columns of frames as CSV."""

from __future__ import annotations

import csv
import io

import pytest
from django.urls import reverse

from datasets.models import Frame
from tests.datasets.factories import make_dataset, make_frame, make_frames


def table(answer) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_a_search_is_downloaded_as_a_table(page, owner, lab, monkeypatch):
    monkeypatch.setattr("datasets.columns.BATCH", 2)
    made = [*make_frames(4), make_frame(9, (8,), kind="=1+1")]
    dataset = make_dataset(owner, lab, frames=made)
    url = reverse("datasets:frames-download", args=["csv"])
    rows = table(page.get(f"{url}?dataset={dataset.public_id}"))
    assert [row["ionic_step"] for row in rows] == ["0", "1", "2", "3", "9"]
    first = Frame.objects.get(ionic_step=0)
    assert float(rows[0]["energy_ev"]) == first.energy
    assert float(rows[0]["max_force_ev_per_a"]) == pytest.approx(first.max_force)
    assert rows[0]["frame"] == str(first.public_id)
    assert rows[0]["cutoff_ev"] == "400.0"
    assert rows[4]["kind"] == "'=1+1"
    assert len(table(page.get(f"{url}?elements=O"))) == 1


def test_datasets_and_the_api_give_the_same_table(page, owner, lab):
    dataset = make_dataset(owner, lab)
    urls = [
        reverse("datasets:download", args=[dataset.public_id, "csv"]),
        reverse("api:dataset-download", args=[dataset.public_id, "csv"]),
        reverse("api:frame-download-all", args=["csv"]),
    ]
    tables = [table(page.get(url)) for url in urls]
    assert tables[0] == tables[1] == tables[2]
    assert len(tables[0]) == 3
    assert urls[0] in page.get(dataset.get_absolute_url()).content.decode()
