"""The portal under chaos: web, submitter, worker and beat as processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.faults.killable_site import Site
from tests.jobs.ssh_server import free_port

WORKERS = 3


class ChaosSite(Site):
    """A site with a real web process, whose API the run uses as a person's script would."""

    def __init__(
        self, folder: Path, database: str | None, broker: str | None, *, pace: float
    ) -> None:
        super().__init__(folder, database, broker, 0)
        self.port = free_port()
        self.token = ""
        self.requests, self.lost_requests = 0, 0
        self.environment |= {
            "MLMD_FAULTS_PACE": str(pace),
            "MLMD_WORKER_PROCESSES": str(WORKERS),
            "MLMD_LEASE_SECONDS": "5",
        }
        python = sys.executable
        self.commands["web"] = (
            *(python, "-m", "gunicorn", "portal.wsgi", "--bind", f"127.0.0.1:{self.port}"),
            *("--worker-class", "gthread", "--workers", "1", "--threads", "4"),
            *("--log-level", "warning"),
        )
        self.commands["submitter"] = (
            *(python, "-m", "tests.faults.site_command", "chaos-submit"),
            str(folder / "plans.json"),
        )
        self._worker, self.workers = self.commands["worker"], ["worker"]
        self.set_workers(WORKERS)

    def set_workers(self, count: int) -> None:
        """Run so many worker processes, as `manage.py up` does with the message broker at hand."""
        worker = self._worker
        at = worker.index("--concurrency")
        for name in self.workers:
            del self.commands[name]
        if "CELERY_BROKER_URL" in self.environment:
            self.workers = ["worker"]
            self.commands["worker"] = (*worker[: at + 1], str(count), *worker[at + 2 :])
            return
        self.workers = [f"worker-{number}" for number in range(1, count + 1)]
        for name in self.workers:
            pool = ("--pool", "solo", "--hostname", f"{name}@%h")
            self.commands[name] = (*worker[:at], *pool, *worker[at + 2 :])

    def set_up(self, clusters: list[dict[str, object]], jobs: list[dict[str, Any]]) -> None:
        """Make the database, a lab with its clusters, and the list of jobs to come."""
        (self.folder / "clusters.json").write_text(json.dumps(clusters))
        (self.folder / "plans.json").write_text(json.dumps(jobs))
        self.token = self.run("chaos-set-up", str(self.folder / "clusters.json")).strip()

    def ask(self, path: str, *, post: bool = False) -> Any:
        """Ask the API; None when the web process gave no answer, as it may when it is killed."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/{path}",
            method="POST" if post else "GET",
            data=b"{}" if post else None,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        self.requests += 1
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own address
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return {"refused": error.code, "text": error.read().decode(errors="replace")[:300]}
        except (OSError, ValueError):
            self.lost_requests += 1
            return None

    def job_rows(self) -> list[dict[str, Any]] | None:
        """Return all runs as the API lists them."""
        rows: list[dict[str, Any]] = []
        page = 1
        while True:
            answer = self.ask(f"jobs/?page_size=200&page={page}")
            if not answer or "results" not in answer:
                return None
            rows += answer["results"]
            if not answer.get("next"):
                return rows
            page += 1

    def report_chaos(self) -> dict[str, Any]:
        """Return what the database knows."""
        return dict(json.loads(self.run("chaos-report")))

    def kill_one_worker(self, number: int) -> None:
        """End one of the processes that work, not their parent where they have one."""
        if len(self.workers) > 1:
            self.kill([self.workers[number % len(self.workers)]], group=True)
            return
        leader = self.processes["worker"].pid
        children = [pid for pid in _all_pids() if pid != leader and _group(pid) == leader]
        if children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(sorted(children)[number % len(children)], signal.SIGKILL)

    def all_processes(self) -> list[int]:
        """Return the processes of the site that live."""
        leaders = {process.pid for process in self.processes.values()}
        return [pid for pid in _all_pids() if _group(pid) in leaders]

    def open_files(self) -> dict[int, int]:
        """Return the number of open files of each process of the worker."""
        leaders = {self.processes[name].pid for name in self.workers}
        found = {}
        for pid in _all_pids():
            if _group(pid) in leaders:
                with contextlib.suppress(FileNotFoundError):
                    found[pid] = len(os.listdir(f"/proc/{pid}/fd"))
        return found


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0
