"""A portal from Python: data sets as frames or ASE atoms, potentials, downloads.

    import mlmd
    portal = mlmd.Portal("https://your.site")             # token from $MLMD_TOKEN
    for atoms in portal.datasets(elements="Si O").atoms():
        ...

Needs nothing beyond the standard library and the package itself. Lists are fetched page
by page, frames one by one, so that neither has a limit on its size.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from ase import Atoms

from mlmd.client.http import Connection
from mlmd.documents import document_to_frame
from mlmd.errors import InvalidInput
from mlmd.formats.atoms import frame_to_atoms
from mlmd.frame import Frame

TOKEN_VARIABLE = "MLMD_TOKEN"  # noqa: S105 -- the name of a variable
_PAGE = 200
T = TypeVar("T")


@dataclass(frozen=True)
class RemoteVersion:
    """A published version of a data set.

    Args:
        id: its UUID.
        number: from 1.
        checksum: of its frames.
        frame_count: how many there are.
    """

    id: str
    number: int
    checksum: str
    frame_count: int


@dataclass(frozen=True)
class RemoteDataset:
    """A data set on a portal.

    Args:
        id: its UUID.
        name: as its page shows it.
        elements: chemical symbols.
        frame_count: of the current state.
        licence: SPDX name; empty when unknown.
        versions: published ones.
        details: everything that the API says.
    """

    id: str
    name: str
    elements: tuple[str, ...]
    frame_count: int
    licence: str
    versions: tuple[RemoteVersion, ...]
    details: dict[str, Any] = field(repr=False)
    portal: Portal = field(repr=False, compare=False)

    def frames(self, version: int | None = None) -> Iterator[Frame]:
        """Stream the frames of a version, or of the current state.

        Raises:
            InvalidInput: no such version.
            PortalError: the portal can't be reached or refuses.
        """
        return self.portal.stream(self._path("jsonl", version))

    def atoms(self, version: int | None = None) -> Iterator[Atoms]:
        """Stream ASE atoms, with labels in a single-point calculator."""
        return map(frame_to_atoms, self.frames(version))

    def download(
        self, target: str | Path, format: str = "extxyz", version: int | None = None
    ) -> Path:
        """Save the frames as a file; return its path."""
        return self.portal.download(self._path(format, version), target)

    def _path(self, file_format: str, number: int | None) -> str:
        if number is None:
            return f"datasets/{quote(self.id)}/download/{quote(file_format)}/"
        found = next((v for v in self.versions if v.number == number), None)
        if found is None:
            known = ", ".join(str(v.number) for v in self.versions) or "none"
            raise InvalidInput(f"data set “{self.name}”", f"version {number}", f"one of {known}")
        return f"versions/{quote(found.id)}/download/{quote(file_format)}/"


@dataclass(frozen=True)
class RemotePotential:
    """A trained potential on a portal.

    Args:
        id: its UUID.
        name: as its card shows it.
        elements: chemical symbols.
        details: everything that the API says.
    """

    id: str
    name: str
    elements: tuple[str, ...]
    details: dict[str, Any] = field(repr=False)
    portal: Portal = field(repr=False, compare=False)

    def download(self, target: str | Path) -> Path:
        """Save the files of the potential as a .zip; return its path."""
        return self.portal.download(f"potentials/{quote(self.id)}/archive/", target)


class Listing(Generic[T]):
    """What a list of the API holds, fetched page by page while it is iterated.

    Args:
        connection: to the portal.
        path: of the list, with its filters.
        make: makes an object of one entry.
    """

    def __init__(
        self, connection: Connection, path: str, make: Callable[[dict[str, Any]], T]
    ) -> None:
        self._connection, self._path, self._make = connection, path, make

    def __iter__(self) -> Iterator[T]:
        path: str | None = self._path
        while path is not None:
            page = self._connection.get_json(path)
            yield from map(self._make, page["results"])
            following = page["next"]
            # Only path and query count: behind a proxy, a server may not know its own address.
            path = None if following is None else _relative(following)

    @property
    def count(self) -> int:
        """How many there are, by one small request."""
        joint = "&" if "?" in self._path else "?"
        return int(self._connection.get_json(f"{self._path}{joint}page_size=1")["count"])

    def first(self) -> T | None:
        """Return the first one, or None."""
        return next(iter(self), None)


class DatasetListing(Listing[RemoteDataset]):
    """Data sets, with their frames as one stream."""

    def frames(self) -> Iterator[Frame]:
        """Stream the current frames of all of them."""
        return chain.from_iterable(dataset.frames() for dataset in self)

    def atoms(self) -> Iterator[Atoms]:
        """Stream ASE atoms, with labels in a single-point calculator."""
        return map(frame_to_atoms, self.frames())


# Columns of a learning curve with the errors of held-out frames: of energies, of forces.
_TEST_ERRORS = {
    "n2p2-train": ("RMSEpa_Etest_pu", "RMSE_Ftest_pu"),
    "aenet-train": ("energy_test", "force_test"),
}


class Portal:
    """A portal, with the rights of a token.

    Args:
        url: of the site, for example ``"https://your.site"``.
        token: personal token; else that in ``$MLMD_TOKEN``.
        timeout: seconds without any byte before a request is repeated.

    Raises:
        InvalidInput: no address, or no token.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 60.0) -> None:
        secret = token if token is not None else os.environ.get(TOKEN_VARIABLE, "")
        if not secret:
            raise InvalidInput(
                "token",
                "none",
                f"a personal token, as an argument or in ${TOKEN_VARIABLE}",
                "Make one on the page Account → Tokens.",
            )
        self._connection = Connection(url, secret, timeout)
        self.url = self._connection.url

    def __repr__(self) -> str:
        return f"Portal({self.url!r})"

    def me(self) -> dict[str, Any]:
        """Return who the token belongs to."""
        return self._connection.get_json("me/")

    def datasets(
        self, words: str = "", *, elements: str | Iterable[str] = "", mode: str = "all"
    ) -> DatasetListing:
        """Return the data sets that one may see.

        Args:
            words: in name, description or tags.
            elements: symbols, ``"Si O"`` or ``["Si", "O"]``.
            mode: ``all``, ``any`` or ``only`` of the elements.
        """
        asked = _query(q=words, elements=_symbols(elements), mode=mode, page_size=_PAGE)
        return DatasetListing(self._connection, f"datasets/{asked}", self._dataset)

    def dataset(self, id: str) -> RemoteDataset:
        """Return one data set by its UUID."""
        return self._dataset(self._connection.get_json(f"datasets/{quote(id)}/"))

    def frames(self, **filters: Any) -> Iterator[Frame]:
        """Stream all frames that fit filters, of all data sets.

        Args:
            **filters: those of ``/api/v1/frames/``: ``elements``, ``functional``, ``force_max``, …

        Raises:
            PortalError: a filter isn't understood, among others.
        """
        if "elements" in filters:
            filters["elements"] = _symbols(filters["elements"])
        return self.stream(f"frames/download/jsonl/{_query(**filters)}")

    def atoms(self, **filters: Any) -> Iterator[Atoms]:
        """Stream ASE atoms of all frames that fit filters."""
        return map(frame_to_atoms, self.frames(**filters))

    def potentials(self, words: str = "") -> Listing[RemotePotential]:
        """Return the potentials that one may see."""
        asked = _query(q=words, page_size=_PAGE)
        return Listing(self._connection, f"potentials/{asked}", self._potential)

    def store(self, document: Mapping[str, Any]) -> str:
        """Put the potential of a training with n2p2 or aenet into the catalog; return its address.

        Args:
            document: of a step of `mlmd.N2p2` or `mlmd.Aenet`. Steps before the training have no
                potential yet: they are left out, and the address is empty. The token needs the
                scope ``write``.

        Raises:
            PortalError: the portal can't be reached or refuses.
        """
        columns = _TEST_ERRORS.get(str(document.get("type")))
        if columns is None:
            return ""
        curve, best = document["learning_curve"], int(document["best_epoch"])
        row = [int(epoch) for epoch in curve["epoch"]].index(best)
        data, provenance = document["data"], document["provenance"]
        networks = document.get("networks", {})
        found = self._connection.post_json(
            "potentials/import/",
            {
                "name": str(provenance["folder"])[:120],
                "files": {} if networks else document["files"],
                "binary_files": networks,
                "energy_rmse": _milli(curve, columns[0], row),
                "force_rmse": _milli(curve, columns[1], row),
                "settings": document["settings"],
                "validation": {
                    "training_frames": data["frames"] - data["held_out"],
                    "validation_frames": data["held_out"],
                    "best_epoch": best,
                    "versions": provenance["versions"],
                    "warnings": document["notices"],
                },
                "data_checksum": data["sha256"],
                "frame_count": data["frames"],
            },
        )
        return str(found["page"])

    def stream(self, path: str) -> Iterator[Frame]:
        """Stream frames from a download of JSON lines; ``path`` is below ``/api/v1/``."""
        for line in self._connection.lines(path):
            yield document_to_frame(json.loads(line))

    def download(self, path: str, target: str | Path) -> Path:
        """Save whatever the API offers under a path below ``/api/v1/``.

        The file appears under its name only when it is whole; a connection that breaks is
        taken up again where it stopped.

        Returns:
            The path written.

        Raises:
            PortalError: the portal can't be reached or refuses.
        """
        target = Path(target)
        part = target.with_name(target.name + ".part")
        try:
            with part.open("wb") as stream:
                for chunk in self._connection.chunks(path):
                    stream.write(chunk)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
        return target

    def _dataset(self, values: dict[str, Any]) -> RemoteDataset:
        versions = (
            RemoteVersion(v["public_id"], v["number"], v["checksum"], v["frame_count"])
            for v in values["versions"]
            if v["published_at"]
        )
        return RemoteDataset(
            id=values["public_id"],
            name=values["name"],
            elements=tuple(values["elements"]),
            frame_count=values["frame_count"],
            licence=values["licence"],
            versions=tuple(sorted(versions, key=lambda v: v.number)),
            details=values,
            portal=self,
        )

    def _potential(self, values: dict[str, Any]) -> RemotePotential:
        return RemotePotential(
            id=values["id"],
            name=values["name"],
            elements=tuple(values["elements"]),
            details=values,
            portal=self,
        )


def _milli(curve: Mapping[str, Any], column: str, row: int) -> float | None:
    """Return an error in thousandths; None where the set has no such frames."""
    value = curve[column][row] if column in curve else None
    return 1000.0 * value if value else None


def _symbols(elements: str | Iterable[str]) -> str:
    return elements if isinstance(elements, str) else " ".join(elements)


def _query(**values: Any) -> str:
    given = {name: value for name, value in values.items() if value not in ("", None)}
    return f"?{urlencode(given, doseq=True)}" if given else ""


def _relative(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.path.split('/api/v1/', 1)[-1]}?{parts.query}"
