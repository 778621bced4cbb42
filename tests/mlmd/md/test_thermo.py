"""The log of a run, when a restart takes it over."""

import pytest

from mlmd.md import thermo
from mlmd.md.thermo import ThermoLog, ThermoRow, read_thermo


def row(step):
    return ThermoRow(step, step / 1000, 300.0, -1.0, 0.5, -0.5, -0.5, 0.1, 2.3, 160.0, 0)


def test_a_restart_drops_what_it_will_write_again(tmp_path):
    with ThermoLog(tmp_path) as log:
        for step in (0, 10, 20, 30):
            log.write(row(step))
    with ThermoLog(tmp_path, last_step=20) as log:
        assert read_thermo(tmp_path)["step"].tolist() == [0, 10, 20]
        log.write(row(30))
    assert read_thermo(tmp_path)["step"].tolist() == [0, 10, 20, 30]


def test_a_kill_while_a_restart_opens_the_log_costs_no_row(tmp_path, monkeypatch):
    with ThermoLog(tmp_path) as log:
        for step in (0, 10, 20):
            log.write(row(step))

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(thermo, "write_bytes_atomic", killed)
    with pytest.raises(KeyboardInterrupt):
        ThermoLog(tmp_path, last_step=20)
    assert read_thermo(tmp_path)["step"].tolist() == [0, 10, 20]
