"""Tables that are read while they grow."""

from __future__ import annotations

import numpy as np

from potentials.tables import WHOLE_FILE_BYTES, read_table


def test_a_half_written_last_line_is_left_out(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n3,4\n5,")
    table = read_table(path)
    assert len(table) == 2
    np.testing.assert_array_equal(table.numbers("b"), [2, 4])


def test_no_file_and_no_whole_header_give_an_empty_table(tmp_path):
    assert len(read_table(tmp_path / "none.csv")) == 0
    (tmp_path / "t.csv").write_text("a,b")
    assert len(read_table(tmp_path / "t.csv")) == 0
    assert len(read_table(tmp_path / "t.csv").numbers("a")) == 0


def test_cells_that_are_no_numbers_become_nan(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,\n2,x\n")
    assert np.isnan(read_table(path).numbers("b")).all()


def test_a_large_table_is_thinned_evenly_and_keeps_its_ends(tmp_path):
    path = tmp_path / "t.csv"
    count = WHOLE_FILE_BYTES // 8
    path.write_text("i,twice\n" + "".join(f"{i},{2 * i}\n" for i in range(count)))
    table = read_table(path, rows=500)
    steps = table.numbers("i")
    np.testing.assert_array_equal(table.numbers("twice"), 2 * steps)
    assert 400 < len(table) < 600
    assert steps[0] == 0
    assert steps[-1] == count - 1
    assert (np.diff(steps) > 0).all()
    assert np.diff(steps).max() < 3 * count / 500
