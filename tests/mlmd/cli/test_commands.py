"""The command line as people use it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator

from mlmd.__main__ import COMMANDS, main
from mlmd.formats import write_frames
from mlmd.formats.atoms import atoms_to_frame
from mlmd.hdnnp.evaluator import Evaluator
from mlmd.hdnnp.files import load_potential, save_potential
from tests.mlmd.md.providers import soft_potential

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def silicon(tmp_path):
    atoms = bulk("Si", "diamond", a=5.43, cubic=True)
    atoms.rattle(0.1, seed=1)
    ase.io.write(tmp_path / "si.extxyz", [atoms, atoms.repeat((2, 1, 1))])
    return tmp_path / "si.extxyz"


@pytest.fixture
def potential(tmp_path):
    save_potential(soft_potential(), tmp_path / "potential")
    return tmp_path / "potential"


@pytest.fixture
def finished(tmp_path, silicon, potential, capsys):
    """A short finished run."""
    words = f"md --potential {potential} --structure {silicon} --steps 60 --trajectory-every 2"
    assert main([*words.split(), "--threads", "1", "-o", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    return tmp_path / "run"


def mlmd(*arguments, **options):
    """Start a real process."""
    return subprocess.Popen(
        [sys.executable, "-m", "mlmd", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=options.pop("cwd", None),
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        **options,
    )


def wait_for_step(run, step):
    """Wait until a run has reported at least so many steps."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        path = run / "progress.json"
        if path.exists() and json.loads(path.read_text()).get("step", 0) >= step:
            return
        time.sleep(0.05)
    raise TimeoutError(f"no step {step} in {run}")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as finished:
        main([command, "--help"])
    assert finished.value.code == 0
    text = capsys.readouterr().out
    assert f"mlmd {command}" in text
    assert "--json" in text


def test_help_lists_all_commands_without_importing_them():
    code = (
        "import sys; from mlmd.__main__ import make_parser; print(make_parser(None).format_help());"
        "sys.exit('numba' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )
    assert done.returncode == 0
    for command in COMMANDS:
        assert command in done.stdout


@pytest.mark.parametrize("words", [[], ["simulate"], ["predict"], ["md", "--steps", "many"]])
def test_wrong_usage_ends_with_two(words, capsys):
    with pytest.raises(SystemExit) as finished:
        main(words)
    assert finished.value.code == 2
    assert "error" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["md"], "no --potential"),
        (["md", "--run-dir", "nowhere"], "spec.json"),
        (["train"], "no data"),
        (["train", "nothing.xyz", "-o", "out"], "nothing.xyz"),
        (["predict", "--potential", "nowhere", "x"], "nowhere"),
        (["analyse", "nothing.mtj", "rdf"], "nothing.mtj"),
        (["export", "nothing.mtj"], "nothing.mtj"),
    ],
)
def test_mistakes_give_one_sentence_and_no_traceback(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    text = capsys.readouterr().err
    assert text.startswith("error: ")
    assert message in text
    assert "Traceback" not in text
    assert text.count("\n") == 1


def test_predict_prints_an_object_per_structure(silicon, potential, capsys):
    assert main(["predict", "--potential", str(potential), str(silicon), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["index"] for line in lines] == [0, 1]
    evaluator = Evaluator(load_potential(potential))
    for line, atoms in zip(lines, ase.io.read(silicon, ":"), strict=True):
        expected = evaluator.compute(atoms.numbers, atoms.positions, atoms.cell.array, True)
        assert line["energy"] == pytest.approx(expected.energy, rel=1e-7)
        assert np.allclose(line["forces"], expected.forces, atol=1e-6)
        assert line["energy_unit"] == "ev"


def test_predict_keeps_the_units_of_n2p2_data(tmp_path, silicon, capsys):
    """The same potential and the same atoms, written in bohr and hartree."""
    folder = tmp_path / "atomic"
    save_potential(soft_potential(), folder)
    (folder / "units.json").write_text('{"length_unit": "bohr", "energy_unit": "hartree"}')
    atoms = ase.io.read(silicon, 0)
    lines = [
        "begin",
        *(f"lattice {' '.join(map(repr, row))}" for row in atoms.cell.array.tolist()),
        *(f"atom {x!r} {y!r} {z!r} Si 0.0 0.0 0.0 0.0 0.0" for x, y, z in atoms.positions.tolist()),
        "energy -1.5",
        "charge 0.0",
        "end",
    ]
    (tmp_path / "input.data").write_text("\n".join(lines) + "\n")
    assert (
        main(["predict", "--potential", str(folder), str(tmp_path / "input.data"), "--json"]) == 0
    )
    captured = capsys.readouterr()
    line = json.loads(captured.out)
    # In its own units it is the soft potential at the same bare numbers.
    expected = Evaluator(soft_potential()).compute(
        atoms.numbers, atoms.positions, atoms.cell.array, True
    )
    assert line["energy"] == pytest.approx(expected.energy, rel=1e-10)
    assert np.allclose(line["forces"], expected.forces, rtol=1e-9, atol=1e-12)
    assert (line["length_unit"], line["energy_unit"]) == ("bohr", "hartree")
    assert "unit" not in captured.err


@pytest.mark.parametrize("name", ["H2O_RPBE-D3", "Cu2S_PBE", "LJ", "synthetic_offs"])
def test_predict_agrees_with_n2p2(shared_reference, capsys, name):
    folder = shared_reference / "n2p2" / name
    reference = np.load(folder / "reference.npz")
    words = ["predict", "--potential", str(folder), str(folder / "input.data"), "--json"]
    assert main(words) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) >= 2
    for index, line in enumerate(lines):
        assert line["energy"] == pytest.approx(float(reference[f"s{index}_energy"]), rel=1e-10)
        forces = reference[f"s{index}_forces"]
        assert np.abs(np.array(line["forces"]) - forces).max() < 1e-8 * np.abs(forces).max()


def test_predict_compares_with_the_files_own_labels(tmp_path, potential, capsys):
    atoms = bulk("Si", "diamond", a=5.43, cubic=True)
    atoms.rattle(0.1, seed=2)
    answer = Evaluator(load_potential(potential)).compute(
        atoms.numbers, atoms.positions, atoms.cell.array, True
    )
    atoms.calc = SinglePointCalculator(
        atoms, energy=answer.energy + 0.08, forces=answer.forces + 0.05
    )
    write_frames([atoms_to_frame(atoms)], tmp_path / "x.extxyz", "extxyz")
    assert main(["predict", "--potential", str(potential), str(tmp_path / "x.extxyz")]) == 0
    text = capsys.readouterr().out
    assert "energy 10.000 meV/atom" in text
    assert "forces 50.000 meV/Å" in text


def test_predict_names_the_structure_it_cannot_take(tmp_path, potential, capsys):
    ase.io.write(tmp_path / "w.extxyz", [bulk("Si"), molecule("H2O", vacuum=4)])
    assert main(["predict", "--potential", str(potential), str(tmp_path / "w.extxyz")]) == 2
    text = capsys.readouterr().err
    assert "structure 2" in text
    assert "H O" in text


def test_md_runs_one_stage_from_options(finished):
    result = json.loads((finished / "result.json").read_text())
    assert result["status"] == "finished"
    assert result["steps"] == 60
    assert result["atoms"] == 16  # the last structure of the file


def test_md_prints_its_summary_as_json(tmp_path, silicon, potential, capsys):
    words = f"md --potential {potential} --structure {silicon} --steps 20 --ensemble nve --json"
    more = ["--repeat", "2", "1", "1", "-o", str(tmp_path / "run"), "--threads", "1"]
    assert main([*words.split(), *more]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result["atoms"] == 32
    assert result["stages"][0]["ensemble"] == "nve"
    assert "100.0 %" in captured.err


def test_md_heats_when_it_is_given_two_temperatures(tmp_path, silicon, potential, capsys):
    words = f"md --potential {potential} --structure {silicon} --steps 10 --temperature 100"
    more = ["--temperature-end", "500", "-o", str(tmp_path / "run")]
    assert main([*words.split(), *more]) == 0
    assert "heat" in capsys.readouterr().out


def test_md_does_not_write_over_a_run(finished, silicon, potential, capsys):
    words = f"md --potential {potential} --structure {silicon} -o {finished}"
    assert main(words.split()) == 2
    assert "--run-dir" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [(["--time-step", "0"], "time_step"), (["--temperature", "-5"], "temperature_start")],
)
def test_md_refuses_settings_out_of_range(tmp_path, silicon, potential, capsys, option, message):
    words = ["md", "--potential", str(potential), "--structure", str(silicon)]
    assert main([*words, "-o", str(tmp_path / "run"), *option]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGXCPU, 124), (signal.SIGINT, 130)]
)
def test_a_signal_ends_a_process_in_order_and_it_goes_on(
    tmp_path, silicon, potential, number, code
):
    run = tmp_path / "run"
    process = mlmd(
        *("md", "--potential", potential, "--structure", silicon, "-o", run),
        *("--steps", "10000000", "--threads", "1"),
    )
    wait_for_step(run, 1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "State saved" in errors
    assert "Traceback" not in errors
    result = json.loads((run / "result.json").read_text())
    assert result["status"] == "stopped"
    again = mlmd("md", "--run-dir", ".", cwd=run)
    wait_for_step(run, result["steps"] + 1)
    again.send_signal(number)
    again.communicate(timeout=60)
    assert again.returncode == code
    assert json.loads((run / "result.json").read_text())["steps"] > result["steps"]


def test_train_makes_a_potential_that_predict_takes(tmp_path, potential, capsys):
    frames = []
    evaluator = Evaluator(soft_potential())
    for seed in range(12):
        atoms = bulk("Si", "diamond", a=5.2 + 0.03 * seed, cubic=True)
        atoms.rattle(0.15, seed=seed)
        answer = evaluator.compute(atoms.numbers, atoms.positions, atoms.cell.array, True)
        atoms.calc = SinglePointCalculator(atoms, energy=answer.energy, forces=answer.forces)
        frames.append(atoms_to_frame(atoms))
    data = tmp_path / "data.jsonl"
    write_frames(frames, data, "jsonl")
    words = ["train", str(data), "-o", str(tmp_path / "t"), "--epochs", "2", "--threads", "1"]
    assert main([*words, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["epochs"] == 2
    assert result["elements"] == ["Si"]
    assert main(["predict", "--potential", str(tmp_path / "t" / "potential"), str(data)]) == 0
    assert "12 structures" in capsys.readouterr().out
    assert main(words) == 2
    assert "--run-dir" in capsys.readouterr().err
    assert main(["train", "--run-dir", str(tmp_path / "t")]) == 0


@pytest.mark.parametrize("analysis", ["rdf", "sq", "msd", "coordination"])
def test_analyse_gives_curves_and_json(finished, tmp_path, capsys, analysis):
    assert main(["analyse", str(finished), analysis, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content
    table = tmp_path / "curves.csv"
    words = ["analyse", str(finished / "trajectory.mtj"), analysis, "-o", str(table)]
    assert main([*words, "--start", "2", "--stride", "2"]) == 0
    rows = table.read_text().splitlines()
    assert len(rows) > 3
    assert "Si" in "".join(rows[:2])
    assert main(["analyse", str(finished), analysis]) == 0
    assert capsys.readouterr().out.count("\n") > 3


def test_export_writes_what_other_programs_read(finished, tmp_path, capsys):
    dump = tmp_path / "t.dump"
    words = ["export", str(finished), "--to", "lammps-dump", "-o", str(dump), "--stride", "10"]
    assert main(words) == 0
    assert "4 frames" in capsys.readouterr().out
    assert len(ase.io.read(dump, ":", format="lammps-dump-text")) == 4
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 4
    assert main(["export", str(finished), "--stop", "1"]) == 0
    assert capsys.readouterr().out.startswith("16\nLattice=")


def test_warm_says_how_long_it_took(capsys):
    assert main(["warm", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["seconds"]) >= {"engine", "analysis"}


def test_a_reader_that_has_seen_enough_is_no_error(finished):
    process = mlmd("export", finished)
    process.stdout.readline()
    process.stdout.close()
    with process.stderr:
        errors = process.stderr.read()
    assert process.wait(timeout=60) == 0
    assert errors == ""
