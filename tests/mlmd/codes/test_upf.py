"""Headers of UPF files, of both versions and, where they are installed, of Debian's examples."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mlmd.codes.upf import HEADER_BYTES, UpfHeader, read_upf_header
from mlmd.errors import FormatError
from tests.faults.servers import missing

FIRST = b"""<PP_INFO>
</PP_INFO>
<PP_HEADER>
   0                   Version Number
  Ni                   Element
   US                  Ultrasoft pseudopotential
    T                  Nonlinear Core Correction
 SLA  PW   PBE  PBE     PBE  Exchange-Correlation functional
   10.00000000000      Z valence
  -85.71261116600      Total energy
     23.557   371.902  Suggested cutoff for wfc and rho
    2                  Max angular momentum component
</PP_HEADER>
"""
SECOND = b"""<UPF version="2.0.1">
<PP_HEADER element=" O" pseudo_type="PAW" relativistic="scalar" is_paw="true"
 functional=" SLA  PW   PSX  PSC" z_valence="6.000000000000e0"
 wfc_cutoff="4.659644333475e1" rho_cutoff="1.863857733390D+02"/>
<PP_MESH mesh="1095" element="Xx"/>
"""


def test_both_versions_are_read() -> None:
    assert read_upf_header(FIRST) == UpfHeader("Ni", "PBE", "ultrasoft", 10.0, 23.557, 371.902, "")
    assert read_upf_header(SECOND) == UpfHeader(
        "O", "PBEsol", "PAW", 6.0, 46.59644333475, 186.385773339, "scalar"
    )


def test_no_suggestion_is_none_and_odd_functionals_stay_as_they_are() -> None:
    text = SECOND.replace(b"4.659644333475e1", b"0.0").replace(b"SLA  PW   PSX  PSC", b"SOGGA  X")
    header = read_upf_header(text)
    assert header.cutoff is None
    assert header.functional == "SOGGA X"


@pytest.mark.parametrize("content", [b"", b"POTCAR", SECOND.replace(b'" O"', b'"Qq"')])
def test_what_is_no_pseudopotential_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError, match=r"my\.upf"):
        read_upf_header(content, "my.upf")


def test_every_example_of_debian_is_read() -> None:
    folder = Path("/usr/share/espresso/pseudo")
    if not folder.is_dir():
        missing("needs Debian's examples: apt-get install quantum-espresso-data")
    headers = [
        read_upf_header(path.read_bytes()[:HEADER_BYTES], path.name)
        for path in folder.iterdir()
        if path.suffix.lower() == ".upf"
    ]
    functionals = Counter(header.functional for header in headers)
    assert set(functionals) <= {"LDA", "PBE", "PBEsol", "BLYP", "TPSS"}
    assert all(header.valence for header in headers)
    assert all(header.kind for header in headers)
