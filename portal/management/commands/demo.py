"""`manage.py demo`: the main job without a browser, in a folder of its own."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from labs.models import Membership
from portal.demo_lab import EMAIL, demo_lab_ensure
from portal.management.commands.up import services
from portal.supervisor import Supervisor
from potentials.demonstration import DemonstrationFailed, Measure, demonstrate, summary_table


class Command(BaseCommand):
    help = (
        "Trains on the bundled silicon data, runs molecular dynamics and measures g(r), through "
        "the same services and worker as the site; writes potential and plots to a folder."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--output",
            type=Path,
            default=settings.BASE_DIR / "demo-output",
            help="folder that is made anew (default %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        output = options["output"].resolve()
        var = output / "var"
        if var != settings.VAR_DIR:
            self._run_apart(output, var)
            return
        call_command("migrate", interactive=False, verbosity=0)
        demo_lab_ensure()
        measures = self._run(output)
        self.stdout.write("\n" + summary_table(measures))
        self.stdout.write(f"\nPotential, plots and tables: {output}")
        missed = [measure.name for measure in measures if not measure.is_accepted]
        if missed:
            raise CommandError(f"Outside of what is accepted: {', '.join(missed)}.")

    def _run_apart(self, output: Path, var: Path) -> None:
        """Start this command again with a fresh folder for everything that the site writes.

        Settings are read once, at start; and the demo must neither see nor touch the data of
        a site that runs from the same checkout.
        """
        if output.exists():
            if any(output.iterdir()) and not (output / "summary.txt").exists() and not var.exists():
                raise CommandError(
                    f"{output} holds other files; choose an empty folder with --output."
                )
            shutil.rmtree(output)
        environment = {
            **os.environ,
            "MLMD_VAR": str(var),
            "DATABASE_URL": f"sqlite:///{var / 'portal.sqlite3'}",
            "MLMD_SWEEP_SECONDS": "1",
            "MLMD_LOG_LEVEL": os.environ.get("MLMD_LOG_LEVEL", "WARNING"),
            "MLMD_VALIDATE": "false",  # or it would share the cores with the MD that is timed
        }
        environment.pop("CELERY_BROKER_URL", None)
        manage = settings.BASE_DIR / "manage.py"
        ended = subprocess.run(  # noqa: S603 - this very program
            [sys.executable, str(manage), "demo", "--output", str(output)],
            env=environment,
            check=False,
        )
        if ended.returncode:
            sys.exit(ended.returncode)

    def _run(self, output: Path) -> list[Measure]:
        """Keep worker and beat alive while a thread does what a person would do."""
        wanted = [s for s in services("", 2) if s.name != "web"]
        supervisor = Supervisor(wanted, settings.VAR_DIR / "demo.pids", say=self.stderr.write)
        outcome: list[list[Measure] | BaseException] = []

        def work() -> None:
            membership = Membership.objects.select_related("user", "lab").get(user__email=EMAIL)
            try:
                outcome.append(
                    demonstrate(
                        owner=membership.user, lab=membership.lab, output=output, say=self._say
                    )
                )
            except BaseException as error:  # noqa: BLE001 - raised again in the main thread
                outcome.append(error)
            finally:
                connection.close()
                supervisor.stop()

        logging.getLogger("celery").setLevel(logging.ERROR)
        supervisor.run(ready=threading.Thread(target=work, daemon=True).start)
        if not outcome:
            raise CommandError("Stopped before the end.")
        if isinstance(outcome[0], DemonstrationFailed):
            raise CommandError(str(outcome[0])) from outcome[0]
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
