"""Which format a file is in, by its content; the name is never trusted."""

from __future__ import annotations

import re

from mlmd.errors import FormatError
from mlmd.formats.aenet_xsf import SUFFIX, WORDS
from mlmd.formats.ase_db import MAGIC
from mlmd.formats.bundle import is_archive, members
from mlmd.formats.registry import FrameFormat
from mlmd.formats.source import Source

_ACCEPTED = (
    "vasprun.xml, pw.x XML or text output, extended XYZ, n2p2 input.data, JSON lines of documents, "
    "aenet's XSF, an archive of deepmd/npy or of XSF files, or an ASE database"
)
_XML_ROOT = re.compile(rb"<(?!\?|!)([\w:.-]+)")
# Far more than any prolog, and short enough for a search that may be quadratic.
_XML_PROLOG = 8192
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)


def detect_format(head: bytes, name: str) -> FrameFormat:
    """Return the format of a file from its first bytes.

    Args:
        head: the first tens of kilobytes, decompressed.
        name: for the error message only.

    Raises:
        FormatError: empty, binary, or none of the formats; says what it looks like.
    """
    if is_archive(head):
        return FrameFormat.DEEPMD
    if head.startswith(MAGIC):
        return FrameFormat.ASE_DB
    text = _as_ascii(head).lstrip()
    if not text:
        raise FormatError(name, "the file is empty", _ACCEPTED)
    if text.startswith(b"<"):
        return _detect_xml(text, name)
    if b"\0" in text:
        raise FormatError(name, "binary content", _ACCEPTED)
    if re.search(rb"(?m)^[ \t]*Program PWSCF\b", text):
        return FrameFormat.ESPRESSO_OUT
    first = next((line for line in text.splitlines() if line.strip()), b"")
    if first.startswith(b"{"):
        return FrameFormat.JSONL
    if re.fullmatch(rb"\s*\d+\s*", first):
        return FrameFormat.EXTXYZ
    meaningful = (w for w in text.splitlines() if w.strip() and w.lstrip()[:1] not in b"#!")
    word = next(meaningful, b"").split()[:1]
    if word == [b"begin"]:
        return FrameFormat.N2P2
    if word and word[0].upper() in WORDS:
        return FrameFormat.AENET
    raise FormatError(name, f"an unknown format ({_looks_like(text)})", _ACCEPTED)


def detect_bundle(source: Source) -> FrameFormat:
    """Return what a folder or archive holds, by the names of its files.

    Raises:
        FormatError: a damaged archive.
        HostileInput: it exceeds the limits.
    """
    for member in members(source):
        if member.path.suffix.lower() == SUFFIX:
            return FrameFormat.AENET
        if member.path.name == "type.raw" or member.path.suffix == ".npy":
            return FrameFormat.DEEPMD
    return FrameFormat.DEEPMD


def _as_ascii(head: bytes) -> bytes:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "replace").encode("ascii", "replace")
    return head.removeprefix(b"\xef\xbb\xbf")


def _detect_xml(text: bytes, name: str) -> FrameFormat:
    root = _XML_ROOT.search(_COMMENT.sub(b"", text[:_XML_PROLOG]))
    tag = root[1].decode("ascii", "replace") if root else ""
    if tag == "modeling":
        return FrameFormat.VASPRUN
    if tag.rsplit(":", 1)[-1] in ("espresso", "Root"):
        return FrameFormat.ESPRESSO_XML
    if tag.lower() in ("html", "head", "body"):
        raise FormatError(
            name, "a web page", _ACCEPTED, "Save the file itself, not the page that shows it."
        )
    raise FormatError(name, f"XML with the root <{tag[:40]}>", _ACCEPTED)


def _looks_like(text: bytes) -> str:
    if b"vasp." in text[:200] and b"executed on" in text[:2000]:
        return "VASP's OUTCAR; its vasprun.xml holds the same data"
    first = text.splitlines()[0][:40].decode("utf-8", "replace")
    return f"its first line is “{first}”"
