"""Moving bytes to a cluster and running commands there; knows no scheduler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Answer:
    """What a command left behind.

    Args:
        code: exit status.
        out: standard output.
        err: standard error.
    """

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class RemoteFile:
    """A file on the cluster.

    Args:
        path: relative to the folder that was asked about, with forward slashes.
        size: bytes.
        modified_ns: nanoseconds since 1970, by the cluster's clock.
    """

    path: str
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Receipt:
    """A file that arrived whole."""

    size: int
    sha256: str


class Transport(Protocol):
    """One connection to a cluster; every method raises `ClusterTrouble` when it can't.

    `LinkTrouble` says that the connection failed and nothing is known about what was asked.

    Remote paths are absolute. Nothing is ever seen half-written under its final name: files
    travel as ``.part``, are compared in size and SHA-256, and then renamed.
    """

    def run(self, command: str, *, timeout: float = 60.0) -> Answer:
        """Run a shell command; a status other than 0 is an answer, not an error."""

    def survey(self, folders: Sequence[str]) -> Mapping[str, tuple[RemoteFile, ...]]:
        """List the files below several folders in one go; folders that don't exist are left out."""

    def put(self, source: Path, target: str) -> Receipt:
        """Copy a file to the cluster and make the folders above it."""

    def put_all(self, source: Path, names: Sequence[str], target: str) -> None:
        """Copy many files of a folder into a folder of the cluster.

        No small one has its final name before all of them were checked. What an earlier copy
        left half done there is removed.
        """

    def get(self, source: str, target: Path) -> Receipt:
        """Copy a file that no longer changes from the cluster."""

    def get_all(
        self, source: str, files: Sequence[RemoteFile], target: Path
    ) -> Mapping[str, Receipt]:
        """Copy many files that no longer change from a folder of the cluster."""

    def snapshot(self, source: str, file: RemoteFile, target: Path) -> None:
        """Copy the first `file.size` bytes of a file that may be growing, with its time stamp."""

    def read(self, source: str, limit: int) -> bytes:
        """Return the first `limit` bytes of a file."""

    def read_all(self, sources: Mapping[str, int]) -> Mapping[str, bytes]:
        """Return the first bytes of several files, as many as asked; absent ones are left out."""

    def read_tail(self, source: str, size: int) -> bytes:
        """Return the last `size` bytes of a file."""

    def remove_folder(self, folder: str) -> None:
        """Remove a folder and all in it; one that isn't there is no error."""

    def close(self) -> None:
        """End the connection."""
