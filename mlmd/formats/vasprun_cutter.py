"""Feeds a vasprun.xml to expat without the 98 % of its bytes that hold nothing we keep.

Number blocks (``<varray>``) and electronic steps are cut out and handed over whole; densities of
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
_MARK = re.compile(
    rb"<(?:(varray|scstep)[\s>]|(" + b"|".join(SKIPPED) + rb")[\s>]|!--|!\[CDATA\[|\?)"
)
_TERMINATORS = ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"), (b"<?", b"?>"))
# Longer than the longest mark: the tail kept back so that none is cut in two.
_TAIL = 40
LARGEST_BLOCK = 1 << 30
LARGEST_COMMENT = 1 << 20


class Cutter:
    """Splits the byte stream of one file between expat and the block handler.

    Args:
        parser: takes all markup that isn't cut out.
        on_block: called with name and body of a ``<varray>`` or ``<scstep>``, after expat has
            seen its start tag; returns False to have the body parsed by expat instead.
        name: file name for messages.
    """

    def __init__(
        self, parser: expat.XMLParserType, on_block: Callable[[bytes, bytes], bool], name: str
    ) -> None:
        self._parser = parser
        self._on_block = on_block
        self._name = name
        self._buffer = bytearray()
        self._position = 0  # what is before it has been dealt with
        self._searched = 0  # no mark or end tag begins between the two
        self._step: Callable[[], bool] = self._markup
        self._end = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the file.

        Raises:
            xml.parsers.expat.ExpatError: the markup is damaged.
            HostileInput: a block larger than any real one.
        """
        del self._buffer[: self._position]
        self._searched -= self._position
        self._position = 0
        self._buffer += chunk
        if len(self._buffer) > LARGEST_BLOCK:
            raise HostileInput(self._name, "one element of more than a GiB", "a file VASP wrote")
        while self._step():
            pass

    def close(self) -> None:
        """Give the rest to expat, which says whether the document is whole."""
        self._pass_on(len(self._buffer))
        self._parser.Parse(b"", True)

    def _pass_on(self, stop: int) -> None:
        """Give the bytes up to ``stop`` to expat."""
        if stop > self._position:
            self._parser.Parse(self._buffer[self._position : stop], False)
        self._drop(stop)

    def _drop(self, stop: int) -> None:
        self._position = self._searched = stop

    def _markup(self) -> bool:
        match = _MARK.search(self._buffer, self._searched)
        if match is None:
            start = max(len(self._buffer) - _TAIL, self._position)
            last = self._buffer.rfind(b"<", start)
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
            if self._buffer.startswith(start, self._position):
                after = self._position + len(start)
                stop = self._buffer.find(end, max(self._searched, after))
                if stop < 0:
                    self._check_comment(self._position)
                    self._searched = max(len(self._buffer) - len(end), after)
                    return False
                self._pass_on(stop + len(end))
                self._step = self._markup
                return True
        return False

    def _check_comment(self, start: int) -> None:
        if len(self._buffer) - start > LARGEST_COMMENT:
            raise HostileInput(self._name, "a comment without an end", "a file VASP wrote")

    def _block(self) -> bool:
        stop = self._buffer.find(self._end, self._searched)
        if stop < 0:
            self._searched = max(len(self._buffer) - len(self._end), self._position)
            return False
        body = bytes(self._buffer[self._position : stop])
        if b"!" in body or b"?" in body or not self._on_block(self._end[2:-1], body):
            # Let expat read it; its own marks, if any, are found on the way.
            self._parser.Parse(body, False)
        self._drop(stop)
        self._step = self._markup
        return True

    def _special(self, limit: int) -> list[tuple[int, bytes]]:
        """Return where comments and their like begin before ``limit``, and how they end."""
        # Single bytes are found twenty times faster than words, and numbers have none of these.
        if (
            self._buffer.find(b"!", self._position, limit) < 0
            and self._buffer.find(b"?", self._position, limit) < 0
        ):
            return []
        return [
            (at, end)
            for start, end in _TERMINATORS
            if (at := self._buffer.find(start, self._position, limit)) >= 0
        ]

    def _skipped(self) -> bool:
        stop = self._buffer.find(self._end, self._position)
        limit = stop if stop >= 0 else len(self._buffer)
        special = self._special(limit)
        if special:
            first, end = min(special)
            close = self._buffer.find(end, first + 2)
            if close < 0:
                self._check_comment(first)
                return False
            self._drop(close + len(end))
            return True
        if stop < 0:
            self._drop(max(len(self._buffer) - _TAIL, self._position))
            return False
        self._drop(stop)
        self._step = self._markup
        return True
