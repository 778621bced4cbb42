"""Feeds a vasprun.xml to expat without the 98 % of its bytes that hold nothing we keep.

Number blocks (``<varray>``) are cut out and handed over whole; densities of
states, eigenvalues and projections are dropped unread. That is safe: in a
well-formed document in an ASCII-compatible encoding ``<`` begins markup
everywhere but in comments, CDATA sections and processing instructions, and these
are recognised here. Anything unusual goes to expat as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.parsers import expat

from mlmd.errors import HostileInput

SKIPPED = (
    b"dos",
    b"eigenvalues",
    b"projected",
    b"eigenvalues_kpoints_opt",
    b"projected_kpoints_opt",
    b"dielectricfunction",
    b"partial",
)
_MARK = re.compile(rb"<(?:(varray)[\s>]|(" + b"|".join(SKIPPED) + rb")[\s>]|!--|!\[CDATA\[|\?)")
_TERMINATORS = ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"), (b"<?", b"?>"))
# Longer than the longest mark: the tail kept back so that none is cut in two.
_TAIL = 40
LARGEST_BLOCK = 1 << 30


class Cutter:
    """Splits the byte stream of one file between expat and the block handler.

    Args:
        parser: takes all markup that isn't cut out.
        on_block: called with the body of a ``<varray>``, after expat has seen its start
            tag; returns False to have the body parsed by expat instead.
        name: file name for messages.
    """

    def __init__(
        self, parser: expat.XMLParserType, on_block: Callable[[bytes], bool], name: str
    ) -> None:
        self._parser = parser
        self._on_block = on_block
        self._name = name
        self._buffer = b""
        self._searched = 0
        self._step: Callable[[], bool] = self._markup
        self._end = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the file.

        Raises:
            xml.parsers.expat.ExpatError: the markup is damaged.
            HostileInput: a block larger than any real one.
        """
        self._buffer = self._buffer + chunk if self._buffer else chunk
        if len(self._buffer) > LARGEST_BLOCK:
            raise HostileInput(self._name, "one element of more than a GiB", "a file VASP wrote")
        while self._step():
            pass

    def close(self) -> None:
        """Give the rest to expat, which says whether the document is whole."""
        self._parser.Parse(self._buffer, False)
        self._buffer = b""
        self._parser.Parse(b"", True)

    def _pass_on(self, stop: int) -> None:
        """Give the buffer up to ``stop`` to expat."""
        if stop > 0:
            self._parser.Parse(self._buffer[:stop], False)
            self._buffer = self._buffer[stop:]
        self._searched = 0

    def _markup(self) -> bool:
        match = _MARK.search(self._buffer, self._searched)
        if match is None:
            last = self._buffer.rfind(b"<", max(len(self._buffer) - _TAIL, 0))
            self._pass_on(len(self._buffer) if last < 0 else last)
            return False
        if match[1] is None and match[2] is None:
            self._pass_on(match.start())
            self._step = self._unparsed
            return True
        close = self._buffer.find(b">", match.start())
        if close < 0:
            return False
        empty = self._buffer[close - 1 : close] == b"/"
        tag = match[1] or match[2]
        self._pass_on(close + 1)
        if not empty:
            self._end = b"</" + tag + b">"
            self._step = self._block if match[1] else self._skipped
        return True

    def _unparsed(self) -> bool:
        """A comment, CDATA section or processing instruction: expat's, whole."""
        for start, end in _TERMINATORS:
            if self._buffer.startswith(start):
                stop = self._buffer.find(end, max(self._searched, len(start)))
                if stop < 0:
                    self._searched = max(len(self._buffer) - len(end), len(start))
                    return False
                self._pass_on(stop + len(end))
                self._step = self._markup
                return True
        return False

    def _block(self) -> bool:
        stop = self._buffer.find(self._end, self._searched)
        if stop < 0:
            self._searched = max(len(self._buffer) - len(self._end), 0)
            return False
        body = self._buffer[:stop]
        if b"<!" in body or b"<?" in body or not self._on_block(body):
            # Let expat read it; its own marks, if any, are found on the way.
            self._parser.Parse(body, False)
        self._buffer = self._buffer[stop:]
        self._searched = 0
        self._step = self._markup
        return True

    def _skipped(self) -> bool:
        stop = self._buffer.find(self._end)
        special = [
            (at, end) for start, end in _TERMINATORS if (at := self._buffer.find(start)) >= 0
        ]
        first = min(special, default=None)
        if first is not None and (stop < 0 or first[0] < stop):
            close = self._buffer.find(first[1], first[0] + 2)
            if close < 0:
                return False
            self._buffer = self._buffer[close + len(first[1]) :]
            return True
        if stop < 0:
            self._buffer = self._buffer[-_TAIL:]
            return False
        self._buffer = self._buffer[stop:]
        self._searched = 0
        self._step = self._markup
        return True
