"""Many small files in one command: what is sent to the far side's shell, and what comes back.

A round trip and a process on the far side cost more than the bytes of most files of a run, so they
travel together as a tar stream. Everything is checked with SHA-256 before it gets its name.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shlex
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from jobs.errors import ClusterTrouble, TransferDamaged
from jobs.transports.base import Receipt, RemoteFile

SMALL = 512 * 1024  # bytes; larger files travel alone and can go on where they ended
BUNDLE = 8 * 1024 * 1024  # bytes in one stream
COMMAND_LIMIT = 48 * 1024  # bytes of names in one command: Linux takes 128 KB
DAMAGED = 95  # exit status: a checksum differs
_SUMS = ".sums"
_END = b"--\n"

_UNPACK = """\
mkdir -p -- {root} && cd -- {root} || exit 94
{clean}mkdir -p {stage} && tar -xof - -C {stage} && cd {stage} || {{ rm -rf {root}/{stage}; exit 94; }}
sha256sum -c {sums} >/dev/null || {{ rm -rf {root}/{stage}; exit 95; }}
rm -f {sums}
find . -type d -exec sh -c 'for d; do mkdir -p "../$d" || exit 1; done' sh {{}} + &&
find . -type f -exec sh -c 'for f; do mv -f "$f" "../$f" || exit 1; done' sh {{}} + || exit 94
cd .. && rm -rf {stage}
"""
# What killed copies have left, ours and those of single large files.
_CLEAN = "rm -rf .stage-*; find . -name '.*.part' -type f -exec rm -f {} +; "
_PACK = 'cd -- {root} && sha256sum -- {names} && echo "--" && tar -cf - -- {names}'
_READ = (
    'r() {{ if [ -f "$2" ]; then printf F; head -c "$1" -- "$2" | base64 | tr -d "\\n"; fi; echo; }}; '
    "{calls} echo E"
)


def is_plain(name: str) -> bool:
    """Whether checksum lists can hold the name without escapes."""
    return "\\" not in name and "\n" not in name and "\r" not in name


def bundles(sizes: Sequence[tuple[str, int]]) -> Iterator[list[str]]:
    """Divide files into groups that fit in one command and one stream.

    Args:
        sizes: name and bytes of each.
    """
    group: list[str] = []
    size = length = 0
    for name, count in sizes:
        length += len(name.encode()) * 2 + 8
        size += count
        if group and (length > COMMAND_LIMIT or size > BUNDLE):
            yield group
            group, size, length = [], count, len(name.encode()) * 2 + 8
        group.append(name)
    if group:
        yield group


def pack(source: Path, names: Sequence[str]) -> bytes:
    """Return files of a folder as a tar stream with the list of their checksums."""
    stream, sums = io.BytesIO(), []
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in names:
            path = source / name
            content = path.read_bytes()
            sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
            _add(archive, name, content, 0o755 if os.access(path, os.X_OK) else 0o644)
        _add(archive, _SUMS, "".join(sums).encode(), 0o644)
    return stream.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def unpack_command(target: str, stream: bytes, *, first: bool) -> str:
    """Return the command that takes a stream of `pack` into a folder.

    Args:
        target: absolute path; made when it isn't there.
        stream: gives the folder in between its name.
        first: whether to remove what killed copies have left.
    """
    return _UNPACK.format(
        root=shlex.quote(target),
        stage=f".stage-{hashlib.sha256(stream).hexdigest()[:16]}",
        sums=_SUMS,
        clean=_CLEAN if first else "",
    )


def clean_command(target: str) -> str:
    """Return the command that removes what killed copies have left in a folder."""
    return f"cd -- {shlex.quote(target)} && {{ {_CLEAN}}}"


def pack_command(source: str, names: Sequence[str]) -> str:
    """Return the command that answers with checksums, a mark, and a tar stream."""
    quoted = " ".join(shlex.quote(f"./{name}") for name in names)
    return _PACK.format(root=shlex.quote(source), names=quoted)


def unpack(out: bytes, files: Mapping[str, RemoteFile], target: Path) -> dict[str, Receipt]:
    """Write the files of an answer to `pack_command`, each checked before it gets its name.

    Args:
        out: of the command.
        files: what was asked for, by path, in the order of the command.
        target: the folder that they go to.

    Raises:
        TransferDamaged: a file isn't what its checksum says.
        ClusterTrouble: the stream isn't whole.
    """
    head, mark, body = out.partition(_END)
    lines = head.decode(errors="replace").splitlines()
    if not mark or len(lines) != len(files):
        raise ClusterTrouble("The files did not arrive: the cluster's answer is cut off.")
    sums = dict(zip(files, (line.split()[0] for line in lines), strict=True))
    received: dict[str, Receipt] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            for entry in archive:
                name = entry.name.removeprefix("./")
                stream = archive.extractfile(entry) if name in files else None
                if stream is None:
                    continue
                content = stream.read()
                if hashlib.sha256(content).hexdigest() != sums[name]:
                    raise TransferDamaged(f"{name} arrived changed; fetching it again.")
                _write(target / name, content, files[name].modified_ns)
                received[name] = Receipt(len(content), sums[name])
    except (tarfile.TarError, EOFError) as error:
        raise ClusterTrouble(f"The files did not arrive whole: {error}") from error
    if missing := files.keys() - received.keys():
        raise ClusterTrouble(f"Files did not arrive: {', '.join(sorted(missing))[:200]}")
    return received


def _write(path: Path, content: bytes, modified_ns: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name[:60]}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.utime(part, ns=(modified_ns, modified_ns))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_command(sources: Mapping[str, int]) -> str:
    """Return the command that prints the beginning of each file as a line of base64."""
    calls = "".join(f"r {limit} {shlex.quote(path)}; " for path, limit in sources.items())
    return _READ.format(calls=calls)


def parse_read(out: str, sources: Sequence[str]) -> dict[str, bytes]:
    """Return what `read_command` has printed.

    Raises:
        ClusterTrouble: the answer is cut off.
    """
    lines = out.splitlines()
    if len(lines) != len(sources) + 1 or lines[-1] != "E":
        raise ClusterTrouble("The cluster's answer is cut off.")
    found = zip(sources, lines, strict=False)
    return {path: base64.b64decode(line[1:]) for path, line in found if line}
