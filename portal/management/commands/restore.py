"""`manage.py restore`: makes a stopped site what it was when a backup was made."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.backup import restore_site
from portal.backup.manifest import BackupError
from portal.supervisor import AlreadyRunning, take_lock


class Command(BaseCommand):
    help = "Restores a backup into a fresh site. Stop web, worker and beat before."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="one backup, below the folder of all")
        parser.add_argument(
            "--replace", action="store_true", help="give up everything that the site has now"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            lock = take_lock(settings.VAR_DIR / "up.lock")
        except AlreadyRunning as error:
            raise CommandError(
                f"The site runs from {settings.VAR_DIR}; stop it before restoring."
            ) from error
        with lock:
            try:
                restore_site(
                    options["folder"].resolve(),
                    replace=options["replace"],
                    say=self.stdout.write,
                )
            except (BackupError, OSError) as error:
                raise CommandError(str(error)) from error
        self.stdout.write(self.style.SUCCESS("Restored. Start the site again."))
