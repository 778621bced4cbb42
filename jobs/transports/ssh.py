"""A cluster reached over SSH: commands, and transfers that are checked and go on where they ended.

What is sent as a command is one fixed line around base64 text, so that no file name, title or
token can end a quotation, whatever shell the account uses. Needs a POSIX shell, GNU find, tar and
coreutils on the far side: every Linux login node has them.
"""

from __future__ import annotations

import base64
import hashlib
import math
import os
import shlex
import stat
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko

from jobs.errors import ClusterTrouble, LinkTrouble, TransferDamaged
from jobs.transports import ssh_bundles, ssh_pool
from jobs.transports.base import Answer, Receipt, RemoteFile
from jobs.transports.ssh_link import Link

CHANNEL_TIMEOUT = 60.0  # s without a byte until a transfer counts as hung
HASH_TIMEOUT = 1800.0  # s for a checksum on the far side
BUNDLE_TIMEOUT = 300.0  # s for a stream of many small files
LATE = 15.0  # s beyond a command's time limit until the connection counts as dead
_BLOCK = 256 * 1024
_AT_ONCE = threading.BoundedSemaphore(6)
"""Channels at a time: sshd's MaxSessions is 10 unless its operators changed it."""

_WRAPPED = (
    "exec /bin/sh -c 'c=$(printf %s {text} | base64 -d) || exit 126; "
    'if command -v timeout >/dev/null 2>&1; then exec timeout -k 5 {limit} /bin/sh -c "$c"; '
    'else eval "$c"; fi\''
)
_SURVEY = (
    "command -v find >/dev/null || exit 97; for f in {folders}; do "
    'if [ -d "$f" ]; then printf "D%s\\0" "$f"; '
    'find "$f" -type f -printf "F%s %T@ %P\\0" 2>/dev/null; '
    'elif [ ! -d "${{f%/*}}" ]; then echo "${{f%/*}} is not there" >&2; exit 98; fi; '
    'done; printf "E\\0"'
)
_TAKE_OVER = (
    "s=$(sha256sum < {part}) || exit 96; "
    'if [ "${{s%% *}}" = {sha256} ]; then mv -f {part} {target}; '
    'else rm -f {part}; echo "${{s%% *}}"; exit 95; fi'
)


class SshTransport:
    """Uses a shared link; several threads may use one transport."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._lock = threading.RLock()
        self._files: paramiko.SFTPClient | None = None

    def run(self, command: str, *, timeout: float = 60.0) -> Answer:
        code, out, err = self._execute(command, timeout)
        return Answer(code, out.decode(errors="replace"), err.decode(errors="replace"))

    def survey(self, folders: Sequence[str]) -> Mapping[str, tuple[RemoteFile, ...]]:
        found: dict[str, tuple[RemoteFile, ...]] = {}
        for some in ssh_bundles.bundles([(folder, 0) for folder in folders]):
            command = _SURVEY.format(folders=" ".join(map(shlex.quote, some)))
            code, out, err = self._execute(command, 120.0)
            if code != 0 or not out.endswith(b"E\0"):
                words = err.decode(errors="replace").strip()[:300]
                raise ClusterTrouble(
                    f"The run folders can't be listed: {words or f'status {code}'}"
                )
            found.update(_parse_survey(out))
        return found

    def put(self, source: Path, target: str) -> Receipt:
        size = source.stat().st_size
        with source.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        part = _part_of(target, sha256)
        with self._sftp(f"sending {source.name}") as files:
            self._make_folder(files, os.path.dirname(target))
            begin = _size_there(files, part)
            begin = begin if begin <= size else 0
            with source.open("rb") as stream, files.open(part, "r+b" if begin else "wb") as copy:
                copy.set_pipelined(True)
                stream.seek(begin)
                copy.seek(begin)
                while block := stream.read(_BLOCK):
                    copy.write(block)
            if source.stat().st_mode & stat.S_IXUSR:
                files.chmod(part, 0o755)
        command = _TAKE_OVER.format(
            part=shlex.quote(part), target=shlex.quote(target), sha256=sha256
        )
        answer = self.run(command, timeout=HASH_TIMEOUT)
        if answer.code == 95:
            raise TransferDamaged(f"{source.name} arrived changed; sending it again.")
        if answer.code != 0:
            raise ClusterTrouble(f"sending {source.name}: {answer.err.strip()[:300]}")
        return Receipt(size, sha256)

    def put_all(self, source: Path, names: Sequence[str], target: str) -> None:
        sizes = [(name, (source / name).stat().st_size) for name in names]
        small = [
            (name, size)
            for name, size in sizes
            if size <= ssh_bundles.SMALL and ssh_bundles.is_plain(name)
        ]
        together = {name for name, _size in small}
        large = [name for name in names if name not in together]
        for number, group in enumerate(ssh_bundles.bundles(small)):
            stream = ssh_bundles.pack(source, group)
            # Large files that a killed copy has begun to send can go on: they are left.
            first = number == 0 and not large
            self._send_bundle(
                source, stream, ssh_bundles.unpack_command(target, stream, first=first)
            )
        for name in large:
            self.put(source / name, f"{target}/{name}")
        if large:
            self.run(ssh_bundles.clean_command(target))

    def _send_bundle(self, source: Path, stream: bytes, command: str) -> None:
        code, _out, err = self._execute(command, BUNDLE_TIMEOUT, stream)
        if code == ssh_bundles.DAMAGED:
            raise TransferDamaged(f"Files of {source.name} arrived changed; sending them again.")
        if code != 0:
            words = err.decode(errors="replace").strip()[:300] or f"status {code}"
            raise ClusterTrouble(f"sending the input: {words}")

    def get(self, source: str, target: Path) -> Receipt:
        sha256, size, modified_ns = self._describe(source)
        part = Path(_part_of(str(target), sha256))
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._sftp(f"fetching {target.name}") as files:
            begin = part.stat().st_size if part.exists() else 0
            begin = begin if begin <= size else 0
            with (
                files.open(source, "rb") as stream,
                part.open("r+b" if begin else "wb") as copy,
            ):
                stream.seek(begin)
                copy.seek(begin)
                stream.prefetch(size, 32)
                _pour(stream, copy, size - begin)
                copy.truncate()
                copy.flush()
                os.fsync(copy.fileno())
        with part.open("rb") as copy:
            arrived = hashlib.file_digest(copy, "sha256").hexdigest()
        if arrived != sha256:
            part.unlink()
            raise TransferDamaged(f"{target.name} arrived changed; fetching it again.")
        os.utime(part, ns=(modified_ns, modified_ns))
        part.replace(target)
        return Receipt(size, sha256)

    def get_all(
        self, source: str, files: Sequence[RemoteFile], target: Path
    ) -> Mapping[str, Receipt]:
        small = {
            file.path: file
            for file in files
            if file.size <= ssh_bundles.SMALL and ssh_bundles.is_plain(file.path)
        }
        received: dict[str, Receipt] = {}
        for group in ssh_bundles.bundles([(name, file.size) for name, file in small.items()]):
            command = ssh_bundles.pack_command(source, group)
            code, out, err = self._execute(command, BUNDLE_TIMEOUT)
            if code != 0:
                words = err.decode(errors="replace").strip()[:300] or f"status {code}"
                raise ClusterTrouble(f"fetching the results: {words}")
            received |= ssh_bundles.unpack(out, {name: small[name] for name in group}, target)
        for file in files:
            if file.path not in small:
                received[file.path] = self.get(f"{source}/{file.path}", target / file.path)
        return received

    def snapshot(self, source: str, file: RemoteFile, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with (
                self._sftp(f"reading {target.name}") as files,
                part.open("wb") as copy,
                files.open(source, "rb") as stream,
            ):
                stream.prefetch(file.size, 32)
                _pour(stream, copy, file.size)
            os.utime(part, ns=(file.modified_ns, file.modified_ns))
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def read(self, source: str, limit: int) -> bytes:
        with self._sftp(f"reading {source}") as files, files.open(source, "rb") as stream:
            return bytes(stream.read(limit))

    def read_all(self, sources: Mapping[str, int]) -> Mapping[str, bytes]:
        found: dict[str, bytes] = {}
        for group in ssh_bundles.bundles(list(sources.items())):
            answer = self.run(ssh_bundles.read_command({path: sources[path] for path in group}))
            if answer.code != 0:
                raise ClusterTrouble(f"reading files: {answer.err.strip()[:300]}")
            found |= ssh_bundles.parse_read(answer.out, group)
        return found

    def read_tail(self, source: str, size: int) -> bytes:
        with self._sftp(f"reading {source}") as files, files.open(source, "rb") as stream:
            end = stream.stat().st_size
            stream.seek(max(0, end - size))
            return bytes(stream.read(size))

    def remove_folder(self, folder: str) -> None:
        if not folder.startswith("/") or len(Path(folder).parts) < 3 or ".." in folder.split("/"):
            raise ClusterTrouble(f"{folder} is no run folder: it is left alone.")
        answer = self.run(f"rm -rf -- {shlex.quote(folder)}", timeout=600.0)
        if answer.code != 0:
            raise ClusterTrouble(f"removing {folder}: {answer.err.strip()[:300]}")

    def close(self) -> None:
        """Give up what is this transport's own; the link stays open for the next one."""
        with self._lock:
            if self._files is not None:
                self._files.close()
                self._files = None

    def _execute(
        self, command: str, timeout: float, stream: bytes = b""
    ) -> tuple[int, bytes, bytes]:
        """Run a command with our own deadline: the library's is not heeded while waiting.

        The far side ends a command that takes too long, and says so. When not even that arrives,
        the connection is dead, whatever TCP believes: it is given up.
        """
        text = base64.b64encode(command.encode()).decode()
        wrapped = _WRAPPED.format(text=text, limit=math.ceil(timeout))
        began = time.monotonic()
        with _AT_ONCE, self._trouble("running a command"):
            channel = self._link.transport.open_session(timeout=CHANNEL_TIMEOUT)
            try:
                channel.settimeout(max(timeout, 1.0))
                channel.exec_command(wrapped)
                if stream:
                    channel.sendall(stream)
                channel.shutdown_write()
                code, out, err = _listen(channel, began + math.ceil(timeout) + LATE)
            finally:
                channel.close()
        if code in {124, 137} and time.monotonic() - began > timeout - 1.0:
            raise ClusterTrouble(
                f"A command gave no answer within {timeout:g} s: {' '.join(command.split())[:60]}"
            )
        return code, out, err

    def _describe(self, source: str) -> tuple[str, int, int]:
        quoted = shlex.quote(source)
        answer = self.run(
            f"sha256sum < {quoted} && stat -L -c '%s %.9Y' -- {quoted}", timeout=HASH_TIMEOUT
        )
        words = answer.out.split()
        if answer.code != 0 or len(words) != 4:
            raise ClusterTrouble(f"fetching {source}: {answer.err.strip()[:300]}")
        return words[0], int(words[2]), _nanoseconds(words[3])

    def _make_folder(self, files: paramiko.SFTPClient, folder: str) -> None:
        try:
            files.stat(folder)
        except FileNotFoundError:
            answer = self.run(f"mkdir -p -- {shlex.quote(folder)}")
            if answer.code != 0:
                raise ClusterTrouble(f"making {folder}: {answer.err.strip()[:300]}") from None

    @contextmanager
    def _sftp(self, doing: str) -> Iterator[paramiko.SFTPClient]:
        with self._lock, self._trouble(doing):
            if self._files is None:
                with _AT_ONCE:
                    files = paramiko.SFTPClient.from_transport(self._link.transport)
                if files is None:
                    raise ClusterTrouble("The cluster offers no SFTP.")
                files.get_channel().settimeout(CHANNEL_TIMEOUT)
                self._files = files
            yield self._files

    @contextmanager
    def _trouble(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, PermissionError) as error:
            # An answer of the file system: the link is well.
            raise ClusterTrouble(f"{doing}: {error.strerror or error}") from error
        except (OSError, EOFError, paramiko.SSHException) as error:
            if isinstance(error, (TimeoutError, EOFError)) or not self._link.is_alive:
                ssh_pool.discard(self._link)
            detail = str(error) or type(error).__name__
            if self._link.is_alive:
                raise ClusterTrouble(f"{doing}: {detail}") from error
            raise LinkTrouble(f"{doing}: {detail}") from error


def _listen(channel: paramiko.Channel, deadline: float) -> tuple[int, bytes, bytes]:
    out, err = bytearray(), bytearray()
    pause = 0.002
    while True:
        # Asked first: what arrives before the end is complete when the end is there.
        ended = channel.closed or (channel.status_event.is_set() and channel.eof_received)
        before = len(out) + len(err)
        while channel.recv_ready():
            out += channel.recv(_BLOCK)
        while channel.recv_stderr_ready():
            err += channel.recv_stderr(_BLOCK)
        if ended and channel.exit_status < 0:
            raise EOFError("the connection ended before the command did")
        if ended:
            return channel.exit_status, bytes(out), bytes(err)
        if time.monotonic() > deadline:
            raise TimeoutError("no answer came; the connection is given up")
        pause = 0.002 if len(out) + len(err) > before else min(pause * 1.5, 0.05)
        time.sleep(pause)


def _pour(stream: Any, copy: Any, left: int) -> None:
    while left > 0 and (block := stream.read(min(_BLOCK, left))):
        copy.write(block)
        left -= len(block)


def _part_of(path: str, sha256: str) -> str:
    """Return the name under which a file travels: the same for the same content, to go on with."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name[:60]}.{sha256[:24]}.part")


def _size_there(files: paramiko.SFTPClient, path: str) -> int:
    try:
        return int(files.stat(path).st_size or 0)
    except FileNotFoundError:
        return 0


def _parse_survey(out: bytes) -> dict[str, tuple[RemoteFile, ...]]:
    found: dict[str, list[RemoteFile]] = {}
    files: list[RemoteFile] = []
    for entry in out.decode(errors="surrogateescape").split("\0"):
        if entry.startswith("D"):
            files = found.setdefault(entry[1:], [])
        elif entry.startswith("F"):
            size, modified, path = entry[1:].split(" ", 2)
            files.append(RemoteFile(path, int(size), _nanoseconds(modified)))
    return {folder: tuple(entries) for folder, entries in found.items()}


def _nanoseconds(seconds: str) -> int:
    whole, _, fraction = seconds.partition(".")
    return int(whole) * 10**9 + int(fraction[:9].ljust(9, "0") or 0)
