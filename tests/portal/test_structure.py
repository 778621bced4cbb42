"""The house stands as ARCHITECTURE.md says."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_ROOMS = {"tests", "benchmarks", "docs"}


def tracked_files() -> list[Path]:
    answer = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in answer.stdout.split("\0") if name]


def test_the_staircase_holds():
    answer = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stdout


def test_every_package_is_a_room():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - NOT_ROOMS
    assert packages == set(settings["root_packages"])
    assert packages == set(settings["contracts"][0]["layers"])


def test_every_module_of_the_science_package_has_its_step():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    inside = next(c for c in contracts if c.get("containers") == ["mlmd"])
    assert inside["exhaustive"] is True


def test_no_file_names_a_machine():
    private = re.compile(r"(?<![\w.])/(work|root|Users/\w+)/\w")
    found = []
    for path in tracked_files():
        if path.suffix in {".png", ".gz", ".svg", ".npz"} or path == Path(__file__):
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{path.relative_to(ROOT)}: {m.group()}" for m in private.finditer(text)]
    assert not found


def test_every_environment_variable_is_documented():
    documented = (ROOT / "docs" / "settings.md").read_text()
    read = set()
    for path in tracked_files():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] not in NOT_ROOMS:
            read |= set(
                re.findall(
                    r"""(?:environ(?:\.get)?[(\[]\s*|flag\(\s*|getenv\(\s*)["']([A-Z_]+)["']""",
                    path.read_text(),
                )
            )
    names = {n for n in read if n.startswith(("MLMD_", "DATABASE", "CELERY"))}
    assert names
    assert not {n for n in names if f"`{n}`" not in documented}
