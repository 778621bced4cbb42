"""Move the documents of frames from one store to another."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from datasets.models import Frame
from datasets.moving import Move, documents_copy, documents_remove
from datasets.store import SITE, DocumentStore, SqlDocumentStore, StoreUnavailable, open_store

CONFIGURED = "configured"
EVERY = 2.0  # seconds between two lines of progress
MOST_NAMED = 10


class Command(BaseCommand):
    """Copy, verify each document by its hash, say what to do next."""

    help = (
        "Copy the documents of all frames to another store and verify each by its hash. "
        "Interrupted, it goes on when it is started again. Nothing is removed unless --remove "
        "asks for it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        words = f"“{SITE}” (the site's own database), “{CONFIGURED}” (MLMD_TEACHER_URL) or a URL"
        parser.add_argument("--from", required=True, dest="source", metavar="STORE", help=words)
        parser.add_argument("--to", required=True, dest="target", metavar="STORE", help=words)
        parser.add_argument(
            "--dry-run", action="store_true", help="read and verify only; nothing is written"
        )
        parser.add_argument(
            "--remove",
            action="store_true",
            help="in the end, when all are verified, remove the documents from the first store",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        source, target = _store(options["source"]), _store(options["target"])
        if str(source) == str(target):
            raise CommandError(f"Both are {source}: name two different stores.")
        self.stdout.write(f"From {source}\nto   {target}")
        try:
            source.check()
            move = self._copy(source, target, options["dry_run"])
            self._judge(move, target, options["dry_run"])
            if options["remove"] and not options["dry_run"]:
                self._remove(source)
        except StoreUnavailable as error:
            raise CommandError(
                f"{error}\nStart the command again: it goes on from there."
            ) from None
        self._say_what_is_next(source, target, options)

    def _copy(self, source: DocumentStore, target: DocumentStore, is_rehearsal: bool) -> Move:
        start = said = time.monotonic()
        move = Move(total=0)
        for move in documents_copy(source, target, is_rehearsal=is_rehearsal):
            now = time.monotonic()
            if now - said >= EVERY or move.seen >= move.total:
                said, rate = now, move.seen / max(now - start, 1e-6)
                left = max(move.total - move.seen, 0) / rate
                self.stdout.write(
                    f"{move.seen} of {move.total} frames, {rate:.0f} a second, {left:.0f} s left"
                )
                self.stdout.flush()
        return move

    def _judge(self, move: Move, target: DocumentStore, is_rehearsal: bool) -> None:
        if not move.is_whole:
            raise CommandError(
                f"{_named(move.missing)} missing from both stores, {_named(move.damaged)} with "
                "another hash than their rows say. Everything else was copied; nothing was "
                "removed. Restore these from a backup, or delete their datasets, and start again."
            )
        lacking = move.total - move.there if is_rehearsal else 0
        self.stdout.write(
            f"{move.there} were there already, "
            + (f"{lacking} would be copied." if is_rehearsal else f"{move.copied} were copied.")
        )
        held, rows = target.count(), Frame.objects.count()
        if not is_rehearsal and held < rows:
            raise CommandError(
                f"The target holds {held} documents for {rows} frames: some came while the "
                "command ran. Start it again, with the site stopped."
            )
        if not is_rehearsal:
            self.stdout.write(f"Verified: {held} documents for {rows} frames.")

    def _remove(self, source: DocumentStore) -> None:
        gone = documents_remove(source)
        self.stdout.write(f"{gone} documents were removed from {source}.")
        if isinstance(source, SqlDocumentStore):
            self.stdout.write("The database keeps their space until a VACUUM.")

    def _say_what_is_next(
        self, source: DocumentStore, target: DocumentStore, options: dict[str, Any]
    ) -> None:
        if options["dry_run"]:
            self.stdout.write("Nothing was written. Without --dry-run it would be.")
            return
        value = "empty" if isinstance(target, SqlDocumentStore) else "to the URL of that store"
        self.stdout.write("What to do now:")
        if str(open_store(settings.MLMD_TEACHER_URL)) != str(target):
            self.stdout.write(f"  1. Stop the site, run this again, set MLMD_TEACHER_URL {value}.")
            self.stdout.write("  2. Start the site and look at a frame.")
        else:
            self.stdout.write("  Start the site and look at a frame.")
        if not options["remove"]:
            self.stdout.write(f"  When all is well: the same with --remove empties {source}.")


def _store(name: str) -> DocumentStore:
    try:
        return open_store(settings.MLMD_TEACHER_URL if name == CONFIGURED else name)
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from None


def _named(ids: list[str]) -> str:
    some = ", ".join(ids[:MOST_NAMED]) + (", …" if len(ids) > MOST_NAMED else "")
    return f"{len(ids)} documents" + (f" ({some})" if ids else "")
