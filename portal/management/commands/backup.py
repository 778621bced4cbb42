"""`manage.py backup`: a copy of database, documents and files while the site works."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.backup import back_up_site
from portal.backup.manifest import BackupError, check_sums


class Command(BaseCommand):
    help = "Writes a backup into a folder of its own below TARGET; the site may go on working."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", type=Path, help="folder of all backups")
        parser.add_argument(
            "--keep", type=int, default=0, help="remove the oldest beyond this number"
        )
        parser.add_argument(
            "--check",
            action="store_true",
            help="make none: compare the files of the backup TARGET with their checksums",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        target = options["target"].resolve()
        try:
            if options["check"]:
                self.stdout.write(f"{check_sums(target)} files are as they were written.")
                return
            folder = back_up_site(target, keep=options["keep"], say=self.stdout.write)
        except (BackupError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(self.style.SUCCESS(str(folder)))
        self.stdout.write(
            "Not in it: the keys of this site. Keep copies of "
            f"{settings.VAR_DIR / 'credential_key'} and {settings.VAR_DIR / 'secret_key'} in "
            "another place; without the first, the credentials of clusters are lost."
        )
