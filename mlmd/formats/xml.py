"""Streaming XML without the dangers of XML.

Expat with every document-type declaration and entity refused: nothing expands,
nothing is fetched, and memory stays with what the handlers keep.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from mlmd.errors import FormatError, HostileInput
from mlmd.formats.issues import IssueLog
from mlmd.formats.source import Source

MAXIMUM_DEPTH = 200
LARGEST_TREE = 2 << 30  # bytes in memory
_NODE_SIZE = 500
# Any other would be looked up among Python's codecs, most of which expat can't use.
_ENCODINGS = frozenset(
    (
        "utf-8",
        "utf8",
        "utf-16",
        "iso-8859-1",
        "latin1",
        "latin-1",
        "us-ascii",
        "ascii",
        "iso-8859-15",
        "windows-1252",
        "cp1252",
    )
)


def new_parser(name: str) -> expat.XMLParserType:
    """Return an expat parser that refuses document types, entities and absurd nesting.

    Args:
        name: file name, for the error.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = 1 << 16
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def refuse(*_arguments: object) -> NoReturn:
        raise HostileInput(
            f"{name}: line {parser.CurrentLineNumber}",
            "a document type declaration or an entity",
            "plain XML as VASP and pw.x write it",
            "Remove the <!DOCTYPE …> if you trust the file.",
        )

    def check_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise FormatError(
                f"{name}: line 1", f"the encoding “{encoding[:30]}”", "UTF-8 or ISO-8859-1"
            )

    parser.XmlDeclHandler = check_encoding
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.UnparsedEntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.SkippedEntityHandler = refuse
    return parser


def damage_report(error: expat.ExpatError, log: IssueLog, kept: int) -> None:
    """Record that the XML ends or breaks where ``error`` says."""
    reason = expat.ErrorString(error.code)
    ended = error.code in (
        expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS],
        expat.errors.codes[expat.errors.XML_ERROR_UNCLOSED_TOKEN],
        expat.errors.codes[expat.errors.XML_ERROR_PARTIAL_CHAR],
    )
    found = "the file ends early" if ended else f"damaged XML ({reason})"
    log.lose(
        f"line {error.lineno}",
        found,
        "a whole file",
        f"The {kept} complete steps before it were kept."
        if kept
        else "No complete step comes before it.",
    )


@dataclass
class Node:
    """One element of a small tree."""

    name: str
    attributes: dict[str, str]
    parts: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The element's own text."""
        return "".join(self.parts)

    def find(self, path: str) -> Node | None:
        """Return the first descendant along ``a/b/c``, or None."""
        node: Node | None = self
        for name in path.split("/"):
            node = next((c for c in node.children if c.name == name), None) if node else None
        return node

    def find_text(self, path: str, default: str = "") -> str:
        """Return the stripped text of the first descendant along ``path``."""
        node = self.find(path)
        return node.text.strip() if node is not None else default


@dataclass
class Subtrees:
    """Builds a tree of each element named in ``wanted``, one at a time, leaving out ``skipped``.

    Args:
        source: the XML file.
        log: takes a remark when the file is damaged.
        wanted: names of elements to hand out when they are complete.
        skipped: names of elements whose content is never kept.
    """

    source: Source
    log: IssueLog
    wanted: frozenset[str]
    skipped: frozenset[str]
    complete: bool = False
    _stack: list[Node] = field(default_factory=list)
    _done: list[Node] = field(default_factory=list)
    _depth: int = 0
    _size: int = 0

    def __iter__(self) -> Iterator[Node]:
        parser = self._parser = new_parser(self.source.name)
        self._listen()
        steps = 0
        try:
            for chunk in self.source.chunks():
                parser.Parse(chunk, False)
                finished = self._drain()
                steps += sum(node.name == "step" for node in finished)
                yield from finished
            parser.Parse(b"", True)
            self.complete = True
        except expat.ExpatError as error:
            # What was finished inside the damaged chunk is whole all the same.
            finished = self._drain()
            steps += sum(node.name == "step" for node in finished)
            yield from finished
            damage_report(error, self.log, steps)

    def _drain(self) -> list[Node]:
        done, self._done = self._done, []
        return done

    def _listen(self) -> None:
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rsplit(":", 1)[-1]
        self._depth += 1
        if self._depth > MAXIMUM_DEPTH:
            raise HostileInput(
                self.source.name, f"elements nested deeper than {MAXIMUM_DEPTH}", "a flat file"
            )
        if name in self.skipped:
            self._skip(tag)
        elif self._stack:
            node = Node(name, attributes)
            self._stack[-1].children.append(node)
            self._stack.append(node)
            self._grow(_NODE_SIZE)
        elif name in self.wanted:
            self._stack.append(Node(name, attributes))

    def _skip(self, tag: str) -> None:
        """Ignore everything up to the end of the element that has just begun."""
        level = 1

        def start(name: str, _attributes: dict[str, str]) -> None:
            nonlocal level
            level += name == tag

        def end(name: str) -> None:
            nonlocal level
            level -= name == tag
            if level == 0:
                self._depth -= 1
                self._listen()

        self._parser.StartElementHandler = start
        self._parser.EndElementHandler = end
        self._parser.CharacterDataHandler = None

    def _end(self, _tag: str) -> None:
        self._depth -= 1
        if self._stack:
            node = self._stack.pop()
            if not self._stack:
                self._done.append(node)
                self._size = 0

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > LARGEST_TREE:
            raise HostileInput(
                self.source.name, f"one element of {LARGEST_TREE >> 20} MiB", "a file pw.x wrote"
            )

    def _text(self, text: str) -> None:
        if self._stack:
            self._stack[-1].parts.append(text)
            self._grow(len(text))
