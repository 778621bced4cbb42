"""`manage.py up`: the whole site from one terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from portal.demo_lab import demo_lab_ensure
from portal.supervisor import AlreadyRunning, Service, Supervisor, die_with_parent, take_lock


def services(bind: str, worker_processes: int) -> list[Service]:
    """Return web, worker and beat with the interpreter that runs this."""
    python = sys.executable
    celery = (python, "-m", "celery", "--quiet", "-A", "portal")
    if settings.CELERY_BROKER_URL.startswith("filesystem"):
        # Without an event loop Celery's pool shares one pipe: a process that is killed while it waits
        # there, by the kernel that is short of memory, takes the lock along and the others hang.
        workers = [f"worker-{number}" for number in range(1, worker_processes + 1)]
        pool = ("--pool", "solo")
    else:
        workers, pool = ["worker"], ("--concurrency", str(worker_processes))
    return [
        Service(
            "web",
            (
                *(python, "-m", "gunicorn", "portal.wsgi", "--bind", bind),
                *("--worker-class", "gthread", "--workers", "2", "--threads", "4"),
                *("--timeout", "120", "--graceful-timeout", "5"),
                *("--access-logfile", "-" if settings.DEBUG else "/dev/null"),
                *("--log-level", "warning"),
            ),
        ),
        *(
            Service(
                name,
                (
                    *(*celery, "worker", *pool, "--hostname", f"{name}@%h"),
                    *("--loglevel", "WARNING"),
                    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
                ),
                # macOS aborts forked children of a process that has touched Objective-C.
                {"OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES"},
            )
            for name in workers
        ),
        Service(
            "beat",
            (
                *celery,
                *("beat", "--loglevel", "WARNING", "--pidfile="),
                *("--schedule", str(settings.VAR_DIR / "beat-schedule")),
            ),
        ),
    ]


def warm_engine() -> subprocess.Popen[bytes]:
    """Compile the engine in the background, so that nobody's first run waits for it.

    Done once after each installation; afterwards it finds the cache and ends within seconds.
    """
    return subprocess.Popen(
        (sys.executable, "-m", "mlmd", "warm"),
        cwd=settings.BASE_DIR,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        preexec_fn=_quietly,
    )


def _quietly() -> None:
    die_with_parent()
    os.nice(19)


class Command(BaseCommand):
    help = (
        "Migrates, makes the demo lab and serves the site with web, worker and beat until Ctrl-C."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--bind",
            default=os.environ.get("MLMD_BIND", "127.0.0.1:8000"),
            help="address and port of the site (default %(default)s; variable MLMD_BIND)",
        )
        parser.add_argument(
            "--worker-processes",
            type=int,
            default=int(os.environ.get("MLMD_WORKER_PROCESSES", 3)),
            help="processes of the background worker (default %(default)s)",
        )
        parser.add_argument("--no-demo", action="store_true", help="don't make the demo lab")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            lock = take_lock(settings.VAR_DIR / "up.lock")
        except AlreadyRunning as error:
            raise CommandError(
                f"The site already runs from {settings.VAR_DIR}; stop it there with Ctrl-C first."
            ) from error
        with lock:
            call_command("migrate", interactive=False, verbosity=0)
            self._collect_static()
            login = None if options["no_demo"] else demo_lab_ensure()
            bind = options["bind"]
            supervisor = Supervisor(
                services(bind, options["worker_processes"]),
                settings.VAR_DIR / "up.pids",
                say=lambda line: self.stderr.write(line),
            )
            supervisor.run(ready=lambda: self._announce(bind, login, supervisor))

    def _collect_static(self) -> None:
        # Hashing and compressing costs seconds: only when a source is newer than the last time.
        stamp = settings.STATIC_ROOT / ".collected"
        sources = [path.stat().st_mtime for path in (settings.BASE_DIR / "static").rglob("*")]
        if stamp.exists() and max(sources, default=0) <= stamp.stat().st_mtime:
            return
        call_command("collectstatic", interactive=False, verbosity=0)
        stamp.touch()

    def _announce(self, bind: str, login: tuple[str, str] | None, supervisor: Supervisor) -> None:
        address = f"http://{bind}/"
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{address}health/", timeout=2)  # noqa: S310 - our own address
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
                continue
            self.stdout.write(self.style.SUCCESS(f"\nThe portal is ready at {address}"))
            if login:
                self.stdout.write(f"Sign in as  {login[0]}\nPassword    {login[1]}")
            self.stdout.write("Ctrl-C stops everything; runs in progress go on.\n")
            self.stdout.flush()
            warm_engine()
            return
        supervisor.stop()
        raise CommandError(f"The site didn't answer at {address} within 30 s; see the lines above.")
