"""Writes aenet's training structures: one XSF file each, in a folder or a .zip."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from mlmd.errors import InvalidInput
from mlmd.formats.aenet_xsf import PERIODIC, SUFFIX
from mlmd.formats.labels import EnergyKind
from mlmd.formats.sinks import PathSink, labelled_energy
from mlmd.formats.species import species_texts
from mlmd.frame import Frame
from mlmd.number_text import table_text

_KEYWORDS = {periodic: word for word, periodic in PERIODIC.items() if word != "MOLECULE"}
# A file's time in an archive says nothing, and would change its checksum.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_FLAT = 1e-12


class AenetXsfSink(PathSink):
    """Writes ``structure-000001.xsf`` and so on, in the order of the frames.

    Args:
        path: becomes a folder, or an archive when its name ends in ``.zip``.
        energy: which energy goes out.
    """

    def __init__(self, path: Path, energy: EnergyKind) -> None:
        super().__init__(path, energy)
        self._count = 0
        self._zip: zipfile.ZipFile | None = None
        if path.suffix.lower() == ".zip":
            self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        else:
            path.mkdir(parents=True)

    def write(self, frame: Frame) -> None:
        """Take one frame.

        Raises:
            InvalidInput: no energy, or a periodicity that XSF doesn't know.
        """
        content = aenet_xsf_text(frame, labelled_energy(frame, self.energy, "aenet's XSF"))
        self._count += 1
        name = f"structure-{self._count:06d}{SUFFIX}"
        if self._zip is None:
            (self.path / name).write_text(content, encoding="utf-8")
        else:
            entry = zipfile.ZipInfo(name, _NO_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            self._zip.writestr(entry, content)

    def close(self) -> None:
        """Finish the archive."""
        if self._zip is not None:
            self._zip.close()


def aenet_xsf_text(frame: Frame, energy: float) -> str:
    """Return one structure as aenet reads it.

    Args:
        frame: its forces are written where it has some.
        energy: total, eV.

    Raises:
        InvalidInput: periodic in some directions with a cell that isn't whole, or in others than
            a, or a and b.
    """
    place = f"{frame.calculation.source_name or 'frame'}: step {frame.ionic_step}"
    keyword = _KEYWORDS.get(frame.pbc, "")
    flat = any(frame.pbc) and abs(float(np.linalg.det(frame.cell))) < _FLAT
    if not keyword or flat:
        raise InvalidInput(
            place,
            "periodic in some directions, with a cell that XSF can't say",
            "three lattice vectors, periodic along all, a and b, or a; or no periodicity",
            "Add vacuum and a full cell.",
        )
    lines = [f"# total energy = {energy!r} eV"]
    # The words by which aenet finds the energy must not come twice.
    kind = " ".join(frame.kind.split()).replace("energy", "E")
    lines += [f"# kind = {kind}"] if kind else []
    lines += ["", keyword]
    if any(frame.pbc):
        rows = [" ".join(map(repr, row)) for row in frame.cell.tolist()]
        lines += ["PRIMVEC", *rows, "PRIMCOORD", f"{len(frame)} 1"]
    species = species_texts(frame.numbers, "{} ")
    tables = [frame.positions] if frame.forces is None else [frame.positions, frame.forces]
    values = np.concatenate(tables, axis=1)
    atoms = table_text(values, (species, *[" "] * (values.shape[1] - 1), "\n"))
    return "\n".join(lines) + "\n" + atoms
