"""What `manage.py up` does beside its services."""

from __future__ import annotations

import os

from portal.management.commands.up import warm_engine


def test_the_engine_is_compiled_behind_everything_else():
    process = warm_engine()
    try:
        assert process.args[1:] == ("-m", "mlmd", "warm")
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == 19
    finally:
        process.kill()
        process.wait()
