"""A portal of real processes that a test may kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CELERY = (sys.executable, "-m", "celery", "-A", "tests.faults.celery_app")


class Site:
    """A submitter in place of the web process, a worker and a beat, all killable."""

    ends_by_itself = frozenset({"web", "submitter"})

    def __init__(self, folder: Path, database: str | None, broker: str | None, jobs: int) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "MLMD_VAR": str(folder),
            "DJANGO_SETTINGS_MODULE": "tests.faults.site_settings",
            "MLMD_LEASE_SECONDS": "3",
            "MLMD_SWEEP_SECONDS": "1",
            "MLMD_LOG_LEVEL": "WARNING",
        }
        for name, value in (("DATABASE_URL", database), ("CELERY_BROKER_URL", broker)):
            self.environment.pop(name, None)
            if value:
                self.environment[name] = value
        self.log = (folder / "processes.log").open("ab")
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.groups: list[int] = []
        self.submitted = False
        self.commands = {
            "web": (sys.executable, "-m", "tests.faults.site_command", "submit", str(jobs), "0.8"),
            "worker": (
                *(*CELERY, "worker", "--concurrency", "2", "--loglevel", "WARNING"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ),
            "beat": (
                *(*CELERY, "beat", "--loglevel", "WARNING", "--pidfile="),
                *("--schedule", str(folder / "beat-schedule")),
            ),
        }

    def run(self, *command: str) -> str:
        answer = subprocess.run(
            [sys.executable, "-m", "tests.faults.site_command", *command],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr[-3000:]
        return answer.stdout

    def tend(self) -> None:
        """Start what isn't running, as the supervisor does."""
        for name, command in self.commands.items():
            process = self.processes.get(name)
            if process and process.poll() is None:
                continue
            if name in self.ends_by_itself and process and process.returncode == 0:
                continue  # all jobs are created
            self.processes[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=self.log,
                start_new_session=True,
            )
            self.groups.append(self.processes[name].pid)

    def kill(self, names: list[str], group: bool) -> None:
        """End processes without warning, with or without their children."""
        for name in names:
            process = self.processes[name]
            if process.poll() is not None:
                continue
            if group:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()

    def end(self) -> None:
        for pid in self.groups:
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for process in self.processes.values():
            process.wait()
        self.log.close()

    def report(self) -> list[dict]:
        return json.loads(self.run("report"))
