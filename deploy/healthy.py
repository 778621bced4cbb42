"""Health checks of the containers: `python deploy/healthy.py web|worker|beat`; 0 means well."""

from __future__ import annotations

import os
import sys
import time
import urllib.request
from pathlib import Path

ADDRESS = "http://127.0.0.1:8000/health/"
BEAT_SILENCE = 600.0  # s; it writes its schedule every three minutes


def web(address: str = ADDRESS) -> bool:
    """Whether the web process answers; asked as the proxy asks, or it would redirect."""
    host = os.environ.get("MLMD_ALLOWED_HOSTS", "localhost").split(",")[0]
    headers = {"Host": host, "X-Forwarded-Proto": "https"}
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return bool(answer.status == 200)


def worker() -> bool:
    """Whether a worker of this machine answers through the broker."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from portal.celery import app

    name = f"worker@{os.uname().nodename}"
    return bool(app.control.inspect([name], timeout=10).ping())


def beat() -> bool:
    """Whether beat has written its schedule lately."""
    files = list(Path(os.environ["MLMD_VAR"]).glob("beat-schedule*"))
    newest = max((path.stat().st_mtime for path in files), default=0.0)
    return time.time() - newest < BEAT_SILENCE


if __name__ == "__main__":
    try:
        well = {"web": web, "worker": worker, "beat": beat}[sys.argv[1]]()
    except OSError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
    sys.exit(0 if well else f"{sys.argv[1]} gives no sign of life")
