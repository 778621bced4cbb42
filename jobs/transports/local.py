"""The machine that the portal runs on, as a cluster."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from jobs.errors import ClusterTrouble, TransferDamaged
from jobs.transports.base import Answer, Receipt, RemoteFile

PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH")
"""What commands inherit: never the site's secrets, which are in the rest of the environment."""
_BLOCK = 1024 * 1024


class LocalTransport:
    """Copies files and runs commands on this machine."""

    def run(self, command: str, *, timeout: float = 60.0) -> Answer:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        # An own session: ending the worker's process group must not cut a submission in two.
        with _trouble(f"starting {command[:60]!r}"):
            process = subprocess.Popen(  # noqa: S603 - composed and quoted by the schedulers
                ["/bin/sh", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            )
        with process:
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                raise ClusterTrouble(
                    f"A command gave no answer within {timeout:g} s: {command[:60]}"
                ) from None
        return Answer(
            process.returncode, out.decode(errors="replace"), err.decode(errors="replace")
        )

    def survey(self, folders: Sequence[str]) -> Mapping[str, tuple[RemoteFile, ...]]:
        return {folder: tuple(_files_below(folder)) for folder in folders if os.path.isdir(folder)}

    def put(self, source: Path, target: str) -> Receipt:
        return _copy(source, Path(target))

    def put_all(self, source: Path, names: Sequence[str], target: str) -> None:
        for name in names:
            _copy(source / name, Path(target) / name)

    def get(self, source: str, target: Path) -> Receipt:
        return _copy(Path(source), target)

    def get_all(
        self, source: str, files: Sequence[RemoteFile], target: Path
    ) -> Mapping[str, Receipt]:
        return {file.path: _copy(Path(source) / file.path, target / file.path) for file in files}

    def snapshot(self, source: str, file: RemoteFile, target: Path) -> None:
        with _trouble(f"reading {source}"):
            target.parent.mkdir(parents=True, exist_ok=True)
            part = _part_of(target)
            with open(source, "rb") as stream, part.open("wb") as copy:
                left = file.size
                while left > 0 and (block := stream.read(min(_BLOCK, left))):
                    copy.write(block)
                    left -= len(block)
            os.utime(part, ns=(file.modified_ns, file.modified_ns))
            part.replace(target)

    def read(self, source: str, limit: int) -> bytes:
        with _trouble(f"reading {source}"), open(source, "rb") as stream:
            return stream.read(limit)

    def read_all(self, sources: Mapping[str, int]) -> Mapping[str, bytes]:
        return {
            source: self.read(source, limit)
            for source, limit in sources.items()
            if os.path.isfile(source)
        }

    def read_tail(self, source: str, size: int) -> bytes:
        with _trouble(f"reading {source}"), open(source, "rb") as stream:
            end = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, end - size))
            return stream.read(size)

    def remove_folder(self, folder: str) -> None:
        with _trouble(f"removing {folder}"):
            if os.path.isdir(folder):
                shutil.rmtree(folder)

    def close(self) -> None:
        """Nothing is held open."""


@contextmanager
def _trouble(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ClusterTrouble(f"{doing}: {error.strerror or error}") from error


def _part_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _files_below(folder: str) -> Iterator[RemoteFile]:
    for where, _folders, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            try:
                stat = os.stat(path, follow_symlinks=False)
            except FileNotFoundError:
                continue  # a temporary file of the running program
            if os.path.islink(path):
                continue
            relative = os.path.relpath(path, folder).replace(os.sep, "/")
            yield RemoteFile(relative, stat.st_size, stat.st_mtime_ns)


def _copy(source: Path, target: Path) -> Receipt:
    part = _part_of(target)
    with _trouble(f"copying {source.name}"):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            expected = source.stat().st_size
            sent = hashlib.sha256()
            with source.open("rb") as stream, part.open("wb") as copy:
                while block := stream.read(_BLOCK):
                    sent.update(block)
                    copy.write(block)
                copy.flush()
                os.fsync(copy.fileno())
            with part.open("rb") as copy:
                arrived = hashlib.file_digest(copy, "sha256")
            size = part.stat().st_size
            if size != expected or arrived.digest() != sent.digest():
                raise TransferDamaged(
                    f"{source.name}: {size} bytes arrived, {expected} were sent; copying again."
                )
            shutil.copystat(source, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return Receipt(size, arrived.hexdigest())
