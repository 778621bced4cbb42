"""Programs in containers: the generated call, what managers say about it, the definitions."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.cluster_text import recipes_from_text
from jobs.clusters import recipes_of
from jobs.containers import binds_from_text, contained, launcher_from_text, launcher_words
from jobs.exit_record import Cause, parse_exit
from jobs.schedulers.direct import DirectScheduler
from jobs.script import Recipe, compose
from labs.exceptions import Refused
from labs.models import Role
from mlmd.launch import Command, Launch, Resources
from tests.faults.servers import missing
from tests.jobs import factories
from tests.jobs.apptainer import make_image, write_runtime

DEFINITIONS = sorted((Path(__file__).resolve().parents[2] / "containers").glob("*.def"))
SECTIONS = ("arguments", "labels", "post", "environment", "runscript", "test", "help")


def test_a_contained_program_sees_the_work_folder_and_those_the_manager_names(lab):
    cluster = factories.make_far_cluster(factories.make_user(lab, Role.MANAGER), lab)
    cluster.options = {"container": "singularity", "binds": ["/group/pseudo"]}
    cluster.recipes = {
        "pw.x": {"argv": ["pw.x", "-nk", "2"], "image": "/group/qe.sif", "binds": ["/scratch"]}
    }
    words = recipes_of(cluster)["pw.x"].argv
    assert words[:2] == ("singularity", "exec")
    assert [word for word in words if word.startswith("--bind=")] == [
        f"--bind={cluster.work_dir}",
        "--bind=/group/pseudo",
        "--bind=/scratch",
    ]
    assert words[-4:] == ("/group/qe.sif", "pw.x", "-nk", "2")
    assert "--nv" not in words
    assert "--nv" in recipes_of(cluster, gpus=1)["pw.x"].argv


def test_the_launcher_counts_the_processes_of_all_nodes():
    words = ("mpiexec", "-n", "{processes}", "--ppn={per_node}", "--cpus={threads}", "-N{nodes}")
    asked = Resources(nodes=3, processes=4, threads=2)
    assert launcher_words(words, asked) == [
        *("mpiexec", "-n", "12", "--ppn=4", "--cpus=2", "-N3"),
    ]


@pytest.mark.parametrize(
    "text", ["", "srun -n {tasks}", "mpirun '-np", "a {0}", "a {", "{nodes.x}"]
)
def test_a_launcher_that_can_t_be_filled_in_is_refused(text):
    with pytest.raises(Refused, match="MPI launcher"):
        launcher_from_text(text)


@pytest.mark.parametrize("text", ["relative", "/a/../b", "/a,/b"])
def test_folders_for_containers_are_absolute(text):
    with pytest.raises(Refused, match="absolute"):
        binds_from_text(f"/fine\n{text}")
    assert binds_from_text(" /one \n\n/two\n") == ["/one", "/two"]


def test_several_processes_start_one_container_each(tmp_path, monkeypatch):
    """The real script, the real MPI; the runtime runs the program without an image."""
    if shutil.which("mpirun") is None:
        missing("no mpirun here: apt-get install openmpi-bin")
    programs, folder = tmp_path / "bin", tmp_path / "work" / "run"
    programs.mkdir()
    folder.mkdir(parents=True)
    write_runtime(programs)
    image = make_image(tmp_path / "images")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"):
        monkeypatch.setenv(name, "1")
    code = "import os; open('rank-' + os.environ['OMPI_COMM_WORLD_RANK'], 'w').write(os.environ['IN_CONTAINER'])"
    recipe = Recipe(
        (*contained("apptainer", str(image), [str(tmp_path / "work")], gpus=1), sys.executable), {}
    )
    launch = Launch(
        commands=(Command(("python", "-c", code), mpi=True),),
        fetch=(),
        resources=Resources(processes=2),
    )
    text = compose(
        launch,
        DirectScheduler(),
        {"python": recipe},
        name="test",
        folder=str(folder),
        token="f" * 32,
        mpi=("mpirun", "--oversubscribe", "-np", "{processes}"),
    )
    (folder / "job.sh").write_text(text)
    subprocess.run(["sh", "./job.sh", "f" * 32], cwd=folder, check=True, timeout=60)
    assert parse_exit((folder / "exit.json").read_bytes()).cause == Cause.OK
    assert {path.name for path in folder.glob("rank-*")} == {"rank-0", "rank-1"}
    assert (folder / "rank-1").read_text() == str(image)
    calls = image.with_name("calls").read_text().splitlines()
    assert len(calls) == 2
    assert all("exec --no-home --nv --bind=" in call for call in calls)


def sections(path: Path) -> dict[str, str]:
    """Return the sections of a definition, its arguments filled in, its head as ``head``."""
    parts = re.split(r"^%(\w+)[^\n]*\n", path.read_text(), flags=re.MULTILINE)
    found = {"head": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}
    given = dict(re.findall(r"^\s+(\w+)=(\S+)$", found["arguments"], re.MULTILINE))
    return {
        name: re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: given[match[1]], text)
        for name, text in found.items()
    }


def test_every_code_has_a_definition():
    names = {path.stem for path in DEFINITIONS}
    assert names == {"aenet", "mlmd", "n2p2-lammps", "quantum-espresso", "vasp"}


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_a_definition_is_complete_and_pinned(path):
    found = sections(path)
    assert set(SECTIONS) <= set(found)
    base = re.search(r"^From: (\S+)$", found["head"], re.MULTILINE)[1]
    assert re.fullmatch(r"[\w./-]+:\d+\.\d+[\w.-]*", base), base
    labels = dict(line.split(None, 1) for line in found["labels"].strip().splitlines())
    for name in ("title", "version", "licenses"):
        assert labels[f"org.opencontainers.image.{name}"].strip()
    assert re.search(r"\d", labels["org.opencontainers.image.version"])
    assert labels["mlmd.mpi"]
    for line in found["arguments"].strip().splitlines():
        value = line.strip().partition("=")[2]
        assert line.strip().startswith("#") or re.search(r"\d", value), line
    for name in ("post", "environment", "runscript", "test"):
        done = subprocess.run(
            ["sh", "-n"], input=found[name], text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, f"%{name}: {done.stderr}"
    assert "set -eu" in found["post"]
    assert "set -eu" in found["test"]
    assert len(found["test"].strip().splitlines()) > 3
    assert "latest" not in path.read_text()


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_the_recipes_that_a_definition_proposes_can_be_pasted(path):
    found = sections(path)
    lines = [
        match[1]
        for line in found["help"].splitlines()
        if (match := re.search(r"((?:\S+) @ \S+\.sif = \S+)$", line))
    ]
    recipes = recipes_from_text("\n".join(lines), {})
    codes = re.search(r"mlmd\.code (.+)", found["labels"])[1].split()
    assert recipes
    assert set(recipes) <= set(codes)


def test_what_the_definition_of_mlmd_installs_is_what_mlmd_imports():
    """The lock for compute nodes names all that the science package needs, at the site's versions."""
    folder = DEFINITIONS[0].parent
    pinned = dict(re.findall(r"^([\w-]+)==([\w.]+)", (folder / "mlmd.lock").read_text(), re.M))
    site = (folder.parent / "requirements.lock").read_text()
    assert all(f"{name}=={version}" in site for name, version in pinned.items())
    imported = {
        name.partition(".")[0]
        for path in (folder.parent / "mlmd").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _names(node)
    }
    # pymongo is asked for only by who stores in MongoDB.
    outside = imported - set(sys.stdlib_module_names) - {"mlmd", "pymongo"}
    assert outside <= set(pinned)


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def test_quantum_espresso_passes_the_test_of_its_definition(tmp_path):
    """The %test of the image, run with the same release outside of one."""
    if shutil.which("pw.x") is None or not Path("/usr/share/espresso/pseudo").is_dir():
        missing("no pw.x here: apt-get install quantum-espresso quantum-espresso-data")
    path = next(path for path in DEFINITIONS if path.stem == "quantum-espresso")
    done = subprocess.run(
        ["sh", "-c", sections(path)["test"]],
        env={**os.environ, "TMPDIR": str(tmp_path), "OMPI_ALLOW_RUN_AS_ROOT": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
