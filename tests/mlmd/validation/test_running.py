"""All checks in a run directory: their outcome, their order, and going on after a stop."""

import io
import json
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk

from mlmd.data import silicon_frames
from mlmd.errors import InvalidInput
from mlmd.hdnnp.files import save_potential
from mlmd.launch import Resources
from mlmd.runs import PROGRESS_FILE, Stopped, StopRequest, read_json
from mlmd.validation import (
    PARTIAL_FILE,
    REPORT_FILE,
    CheckName,
    CheckStatus,
    Subject,
    ValidationReport,
    ValidationSettings,
    ValidationSpec,
    collect,
    partial_report,
    prepare,
    run_checks,
    run_directory,
    settings_from_mapping,
)
from mlmd.validation.words import fixed_texts
from tests.mlmd.md.providers import soft_potential
from tests.mlmd.validation.calculators import Morse, frame_of
from tests.mlmd.validation.test_other_checks import shaken

SHORT = ValidationSettings(
    steps=100, dynamics_atoms=4, speed_atoms=8, supercell=5.0, slab=5.0, volume_points=9
)


@pytest.fixture
def folder(tmp_path):
    save_potential(soft_potential(), tmp_path / "soft")
    return tmp_path / "soft"


def prepare_run(folder, run_dir, settings=SHORT):
    frames = [frame for frame in silicon_frames() if frame.kind in ("equation of state", "vacancy")]
    prepare(ValidationSpec(folder, frames, settings, Resources(threads=1)), run_dir)
    return run_dir


@pytest.fixture
def prepared(tmp_path, folder):
    wanted = (CheckName.PARITY, CheckName.EXTRAPOLATION, CheckName.DIMERS, CheckName.LATTICE)
    return prepare_run(folder, tmp_path / "run", replace(SHORT, checks=wanted))


@pytest.fixture(scope="module")
def report():
    atoms = shaken()
    crystals = [frame_of(bulk("Cu", a=a, cubic=True), Morse(), "crystal") for a in (3.6, 3.65, 3.7)]
    others = [frame_of(bulk("Cu", "bcc", a=a), Morse(), "bcc") for a in (2.83, 2.87, 2.91)]
    subject = Subject(Morse(), ("Cu",), 6.5, SHORT, [*atoms, *crystals, *others])
    return run_checks(subject)


def texts(report: ValidationReport) -> set[str]:
    found = {crystal.source for crystal in report.materials}
    for check in report.checks:
        found |= {check.title, *(value.label for value in check.values)}
        found |= {value.reference_source for value in check.values if value.reference_source}
        for plot in check.plots:
            found |= {plot.title, plot.x_title, plot.y_title, *(s.label for s in plot.series)}
        for table in check.tables:
            found |= {table.title, *table.columns}
    return found


def test_all_checks_are_done_on_a_sound_potential(report):
    outcome = {check.name: check.status for check in report.checks}
    assert list(outcome) == list(CheckName)
    assert outcome.pop(CheckName.EXTRAPOLATION) == CheckStatus.SKIPPED  # no ranges are known
    assert set(outcome.values()) == {CheckStatus.DONE}
    assert [crystal.subject for crystal in report.materials] == ["Cu (Fm-3m)"]
    assert report.machine.cores == 1
    assert report.frames == 12


def test_every_fixed_text_is_listed_for_translators(report):
    assert texts(report) <= fixed_texts()


def test_a_run_directory_is_prepared_run_and_collected(tmp_path, folder):
    prepared = prepare_run(folder, tmp_path / "run")
    stream = io.StringIO()
    with StopRequest() as stop:
        report = run_directory(prepared, stop, stream)
    assert collect(prepared) == report
    assert texts(report) <= fixed_texts()
    assert read_json(prepared / PROGRESS_FILE)["fraction"] == 1
    # This potential only repels: silicon falls apart, which ends the checks of crystals alone.
    lattice = report.check(CheckName.LATTICE)
    assert lattice.status == CheckStatus.FAILED
    assert "volume changes" in lattice.reason
    for name in (CheckName.PARITY, CheckName.DIMERS, CheckName.STABILITY, CheckName.SPEED):
        assert report.check(name).status == CheckStatus.DONE
    assert report.check(CheckName.PARITY).values[0].value > 1000
    kinds = report.check(CheckName.EXTRAPOLATION).tables[0]
    assert [row[:2] for row in kinds.rows] == [("equation of state", 7), ("vacancy", 14)]


def test_a_stopped_run_goes_on_with_what_is_missing(prepared):
    class After(StopRequest):
        """Asks to stop as soon as two checks are kept."""

        @property
        def requested(self):
            kept = partial_report(prepared)
            if kept is not None and len(kept.checks) >= 2:
                self.request()
            return super().requested

    with pytest.raises(Stopped, match="are kept") as stopped:
        run_directory(prepared, After(), io.StringIO())
    assert stopped.value.exit_code == 143
    kept = partial_report(prepared)
    assert len(kept.checks) == 2
    assert not (prepared / REPORT_FILE).exists()
    with pytest.raises(InvalidInput, match="doesn't exist"):
        collect(prepared)
    report = run_directory(prepared, StopRequest(), io.StringIO())
    assert report.checks[:2] == kept.checks
    assert [check.name for check in report.checks[2:]] == [CheckName.DIMERS, CheckName.LATTICE]


def test_a_signal_ends_the_command_in_order(prepared):
    spec = read_json(prepared / "spec.json")
    spec["settings"] |= {"steps": 1_000_000, "checks": ["parity", "stability"]}
    (prepared / "spec.json").write_text(json.dumps(spec))
    process = subprocess.Popen(
        [sys.executable, "-m", "mlmd", "validate", "--run-dir", str(prepared)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (prepared / PARTIAL_FILE).is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "The checks that were finished are kept" in said
    assert [check.name for check in partial_report(prepared).checks] == [CheckName.PARITY]


def test_the_command_validates_a_folder(tmp_path, folder):
    arguments = ["--checks", "dimers", "lattice", "-o", str(tmp_path / "run"), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "mlmd", "validate", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    report = json.loads(done.stdout)
    assert [check["name"] for check in report["checks"]] == ["dimers", "lattice"]
    assert report == json.loads((tmp_path / "run" / REPORT_FILE).read_text())


def test_a_check_that_breaks_down_does_not_stop_the_others():
    class Broken(Morse):
        def calculate(self, *arguments, **options):
            super().calculate(*arguments, **options)
            if len(self.atoms) == 2 and not self.atoms.pbc.any():
                raise ZeroDivisionError("nothing between two atoms")

    wanted = (CheckName.DIMERS, CheckName.SPEED)
    report = run_checks(Subject(Broken(), ("Cu",), 6.5, replace(SHORT, checks=wanted)))
    assert [check.status for check in report.checks] == [CheckStatus.FAILED, CheckStatus.DONE]
    assert "nothing between two atoms" in report.checks[0].reason


def test_the_same_seed_gives_the_same_numbers():
    wanted = replace(SHORT, checks=(CheckName.STABILITY,))
    one, two = (run_checks(Subject(Morse(), ("Cu",), 6.5, wanted)) for _ in range(2))
    for first, second in zip(one.checks, two.checks, strict=True):
        assert first.values == second.values
    other = run_checks(Subject(Morse(), ("Cu",), 6.5, replace(wanted, seed=2)))
    assert other.checks[0].values != one.checks[0].values


def test_settings_are_held_against_their_limits():
    assert settings_from_mapping({"checks": ["speed", "parity"]}).checks == (
        CheckName.PARITY,
        CheckName.SPEED,
    )
    for values, said in (
        ({"checks": ["beauty"]}, "beauty"),
        ({"checks": "speed"}, "a list"),
        ({"checks": []}, "none"),
        ({"steps": 1}, "at least 100"),
        ({"stepps": 1}, "steps"),
    ):
        with pytest.raises(InvalidInput, match=said):
            settings_from_mapping(values)


def test_a_folder_without_a_potential_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="no potential"):
        prepare(ValidationSpec(tmp_path / "empty"), tmp_path / "run")


def test_a_damaged_report_is_refused_with_the_place(prepared):
    content = {"version": 1, "checks": [{"name": "beauty", "title": "", "status": "done"}]}
    content |= {"materials": [], "machine": {"processor": "", "cores": 1}, "seconds": 0}
    (prepared / PARTIAL_FILE).write_text(json.dumps(content))
    with pytest.raises(InvalidInput, match="checks 1: name"):
        partial_report(prepared)


def test_numbers_of_a_report_are_plain(report):
    for check in report.checks:
        for value in check.values:
            assert type(value.value) in (float, type(None)), value.label
            assert type(value.reference) in (float, type(None)), value.label
        for table in check.tables:
            cells = [cell for row in table.rows for cell in row]
            assert {type(cell) for cell in cells} <= {str, int, float, type(None)}
    assert np.isfinite(report.seconds)
