"""Trainings and MD runs in one call, from a folder of VASP runs to g(r)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from ase.build import bulk
from ase.io import read

from mlmd import hold, ramp, simulate, train
from mlmd.data import molten_silicon_frames, silicon_frames
from mlmd.errors import InvalidInput
from mlmd.external.gathering import gather_vasp
from mlmd.frame import Frame
from mlmd.md import Ensemble, StageKind
from tests.mlmd.formats.vasprun_frames import vasprun_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "notebook.md"
# What the page runs for minutes, in seconds.
SHORTER = {
    'effort="normal"': 'effort="quick", epochs=2, hidden_nodes="6", stress_weight=0.0',
    "25_000": "100",
    "10_000": "20",
    "5_000": "20",
    ".repeat(3)": ".repeat(2)",
}
SMALL = {"epochs": 2, "hidden_nodes": "6", "stress_weight": 0.0}


def write_runs(folder: Path, frames: Sequence[Frame]) -> Path:
    """Write a VASP run for every frame."""
    for number, frame in enumerate(frames):
        place = folder / f"run-{number:03d}"
        place.mkdir(parents=True)
        (place / "vasprun.xml").write_text(vasprun_of([frame]))
    return folder


@pytest.fixture(scope="module")
def silicon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = [f for f in silicon_frames() if f.kind in ("liquid", "molecular dynamics")]
    return write_runs(tmp_path_factory.mktemp("silicon") / "runs", frames)


@pytest.fixture(scope="module")
def potential(silicon: Path) -> Path:
    train(silicon, silicon.parent / "fit", "quick", **SMALL)
    return silicon.parent / "fit" / "potential"


def test_runs_written_for_tests_hold_what_went_in(silicon: Path) -> None:
    wanted = [f for f in silicon_frames() if f.kind in ("liquid", "molecular dynamics")]
    found = list(gather_vasp(silicon))
    assert len(found) == len(wanted) > 40
    for one, other in zip(found, wanted, strict=True):
        assert one.energy == pytest.approx(other.energy, abs=1e-9)
        np.testing.assert_allclose(one.forces, other.forces, atol=1e-9)
        np.testing.assert_allclose(one.stress, other.stress, atol=1e-9)
        np.testing.assert_allclose(one.positions, other.positions, atol=1e-7)


def test_from_a_folder_of_vasp_runs_to_the_radial_distribution(
    potential: Path, tmp_path: Path
) -> None:
    atoms = bulk("Si", cubic=True).repeat(2)
    run = simulate(potential, atoms, tmp_path / "md", ramp(100, 300, 20), hold(300, 40))
    assert run.result.steps == 60
    rdf = run.radial_distribution(r_max=5.0, bins=100)
    peak = rdf.peaks[0]
    assert peak is not None
    assert 2.2 < peak.position < 2.5
    assert rdf.atoms == 64
    assert run.thermo()["temperature_k"][-1] > 0
    with run.trajectory() as reader:
        assert len(reader) > 1


def test_the_same_call_again_returns_the_finished_run(potential: Path, tmp_path: Path) -> None:
    atoms = bulk("Si", cubic=True)
    first = simulate(potential, atoms, tmp_path / "md", hold(300, 20))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "md").iterdir()}
    again = simulate(potential, atoms, tmp_path / "md", hold(300, 20))
    assert again.result == first.result
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "md").iterdir()} == before


def test_a_finished_training_is_returned(potential: Path, silicon: Path) -> None:
    curve = potential.parent / "learning-curve.csv"
    before = curve.stat().st_mtime_ns
    result = train(silicon, potential.parent, "quick", **SMALL)
    assert result.epochs == 2
    assert curve.stat().st_mtime_ns == before


def test_another_run_is_not_mixed_into_a_folder(
    potential: Path, silicon: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=r"another run: its spec\.json differs"):
        train(silicon, potential.parent, "quick", **{**SMALL, "epochs": 3})
    atoms = bulk("Si", cubic=True)
    simulate(potential, atoms, tmp_path / "md", hold(300, 10))
    atoms.rattle(0.01)
    with pytest.raises(InvalidInput, match=r"another run: its structure\.extxyz differs"):
        simulate(potential, atoms, tmp_path / "md", hold(300, 10))


@pytest.mark.parametrize("lacking", [("device",), ("device", "candidates", "watch_committee")])
def test_a_folder_of_an_older_version_goes_on(
    potential: Path, tmp_path: Path, lacking: Sequence[str]
) -> None:
    """Settings that came since are at their default there; other values still make another run."""
    crystal = bulk("Si", cubic=True)
    whole = simulate(potential, crystal, tmp_path / "run", hold(300, 10), checkpoint_every=5)
    path = tmp_path / "run" / "spec.json"
    spec = json.loads(path.read_text())
    spec["settings"] = {k: v for k, v in spec["settings"].items() if k not in lacking}
    path.write_text(json.dumps(spec))
    (tmp_path / "run" / "result.json").unlink()
    again = simulate(potential, crystal, tmp_path / "run", hold(300, 10), checkpoint_every=5)
    assert again.result.steps == whole.result.steps == 10
    with pytest.raises(InvalidInput, match=r"spec\.json differs"):
        simulate(potential, crystal, tmp_path / "run", hold(300, 10), checkpoint_every=5, seed=2)


def test_an_interrupted_preparation_leaves_no_run(potential: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="elements that the potential doesn't know: Ge"):
        simulate(potential, bulk("Ge", cubic=True), tmp_path / "md", hold(300, 10))
    assert list((tmp_path / "md").iterdir()) == []


def test_a_wrong_setting_is_named(silicon: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="epoch"):
        train(silicon, tmp_path / "fit", epoch=3)


def test_stages() -> None:
    assert ramp(300, 3000, 5).kind is StageKind.HEAT
    assert ramp(3000, 300, 5).kind is StageKind.QUENCH
    assert ramp(300, 300, 5) == hold(300, 5)
    npt = hold(500, 7, "npt", pressure=1.5)
    assert (npt.ensemble, npt.pressure, npt.last_temperature) == (Ensemble.NPT, 1.5, 500.0)


def test_the_page_runs_as_it_is_printed(
    silicon: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").symlink_to(silicon)
    text = PAGE.read_text(encoding="utf-8")
    for long, short in SHORTER.items():
        assert long in text, f"the page no longer has {long}"
        text = text.replace(long, short)
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S):
        exec(block, names)  # noqa: S102 - our own page
    assert "first peak" in capsys.readouterr().out
    assert (tmp_path / "rdf.png").read_bytes().startswith(b"\x89PNG")
    assert len(read(tmp_path / "POSCAR.1")) == 64


def test_the_bundled_melt_is_of_one_kind_with_the_bundled_silicon() -> None:
    melt, solid = molten_silicon_frames(), silicon_frames()
    assert {len(frame) for frame in melt} == {64}
    assert {frame.kind for frame in melt} == {"liquid"}
    assert len(melt) == 24
    for name in ("functional", "cutoff_energy", "smearing", "pseudopotentials", "version"):
        assert {str(getattr(frame.calculation, name)) for frame in melt} == {
            str(getattr(solid[0].calculation, name))
        }
