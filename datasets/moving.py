"""Documents go from one store to another, each verified by its hash."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from datasets.models import Frame
from datasets.packing import frame_digest
from datasets.store import DocumentStore, FrameKey, StoredDocument

MOST_ATOMS = 200_000  # of the frames in memory at once
ROWS = 500  # rows asked for at once, at most


@dataclass
class Move:
    """What a move has done so far.

    Args:
        total: rows of frames when it began.
        seen: rows looked at.
        copied: documents written to the target.
        there: documents that the target had already, with the right hash.
        missing: ids of frames whose document neither store has.
        damaged: ids of frames whose document has another hash than its row says.
    """

    total: int
    seen: int = 0
    copied: int = 0
    there: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        return not self.missing and not self.damaged


@dataclass(frozen=True)
class _Row:
    key: FrameKey
    document_hash: str
    digest: str

    def fits(self, content: bytes) -> bool:
        return frame_digest(content, self.digest) == self.document_hash


def documents_copy(
    source: DocumentStore, target: DocumentStore, *, is_rehearsal: bool = False
) -> Iterator[Move]:
    """Copy the documents of all frames, and yield what is done after each batch.

    What the target has already, with the right hash, isn't copied again: a copy that was
    interrupted goes on, and one that was finished is verified. Every document that is written is
    read back before the next batch.

    Args:
        source: where documents are read.
        target: where they go.
        is_rehearsal: read and verify, write nothing.

    Raises:
        StoreUnavailable: one of the stores can't be reached; start again later.
    """
    move = Move(total=Frame.objects.count())
    for rows in _batches():
        _copy_batch(rows, source, target, move, is_rehearsal)
        move.seen += len(rows)
        yield move


def documents_remove(source: DocumentStore) -> int:
    """Remove the documents of all frames from a store; return how many there were."""
    return sum(source.delete_many([row.key for row in rows]) for rows in _batches())


def _copy_batch(
    rows: list[_Row],
    source: DocumentStore,
    target: DocumentStore,
    move: Move,
    is_rehearsal: bool,
) -> None:
    there = target.fetch([row.key for row in rows])
    lacking = [
        row
        for row in rows
        if row.key.frame_id not in there or not row.fits(there[row.key.frame_id])
    ]
    move.there += len(rows) - len(lacking)
    found = source.fetch([row.key for row in lacking]) if lacking else {}
    good = []
    for row in lacking:
        content = found.get(row.key.frame_id)
        if content is None:
            kind = move.damaged if row.key.frame_id in there else move.missing
            kind.append(str(row.key.public_id))
        elif row.fits(content):
            good.append(StoredDocument(row.key, content))
        else:
            move.damaged.append(str(row.key.public_id))
    if is_rehearsal:
        return
    move.copied += target.insert_many(good)
    written = target.fetch([document.key for document in good])
    for document in good:
        if written.get(document.key.frame_id) != document.content:
            move.damaged.append(str(document.key.public_id))


def _batches() -> Iterator[list[_Row]]:
    """Yield rows of frames, fewer at a time where they are large."""
    columns = ("pk", "public_id", "calculation_id", "document_hash", "calculation__digest")
    ordered, last = Frame.objects.order_by("pk").values_list(*columns, "n_atoms"), 0
    while found := list(ordered.filter(pk__gt=last)[:ROWS]):
        batch: list[_Row] = []
        atoms = 0
        for pk, public_id, calculation_id, document_hash, digest, n_atoms in found:
            if batch and atoms + n_atoms > MOST_ATOMS:
                yield batch
                batch, atoms = [], 0
            batch.append(_Row(FrameKey(pk, public_id, calculation_id), document_hash, digest))
            atoms += n_atoms
        yield batch
        last = found[-1][0]
