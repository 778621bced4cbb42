"""Frames from whatever a person has: frames, atoms, documents, files, folders of VASP runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ase import Atoms

from mlmd.documents import document_to_frame
from mlmd.errors import FormatError, InvalidInput
from mlmd.formats import read_frames
from mlmd.formats.atoms import atoms_to_frame
from mlmd.frame import Frame

Item = Frame | Atoms | Mapping[str, Any] | Path | str
Source = Item | Iterable[Item]


def gather_frames(source: Source) -> list[Frame]:
    """Return the frames of a source, in its order.

    Args:
        source: one or many of: frames, ASE atoms, documents (JSON objects of `mlmd.documents`),
            paths of files in any format that `mlmd.formats` reads.

    Raises:
        InvalidInput: something else, or a file that can't be read.
    """
    if isinstance(source, Frame | Atoms | Mapping | Path | str):
        return list(_frames_of(source))
    return [frame for item in source for frame in _frames_of(item)]


def _frames_of(item: Item) -> Iterator[Frame]:
    if isinstance(item, Frame):
        yield item
    elif isinstance(item, Atoms):
        yield atoms_to_frame(item)
    elif isinstance(item, Mapping):
        yield document_to_frame(dict(item))
    elif isinstance(item, Path | str):
        yield from read_frames(Path(item))
    else:
        raise InvalidInput(
            "frames", f"a {type(item).__name__}", "frames, ASE atoms, documents or paths"
        )


def gather_vasp(folder: Path) -> Iterator[Frame]:
    """Yield the frames of every VASP run below a folder, in the order of their paths.

    Files are those with ``vasprun`` in their name, compressed or not. One that can't be read is
    told and left out: an interrupted run must not stop the others.

    Raises:
        InvalidInput: there is no such folder, or no frame in it.
    """
    if not folder.is_dir():
        raise InvalidInput(str(folder), "no such folder", "one with vasprun.xml files")
    paths = sorted(path for path in folder.rglob("*vasprun*") if path.is_file())
    count = 0
    for path in paths:
        try:
            for frame in read_frames(path):
                count += 1
                yield frame
        except FormatError as error:
            print(f"left out: {error}", flush=True)
    if count == 0:
        raise InvalidInput(
            str(folder),
            f"{len(paths)} files named …vasprun…, no frame in them",
            "vasprun.xml files of finished ionic steps",
        )
