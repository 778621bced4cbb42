"""Messages in a folder, each seen whole or not at all.

kombu's own file-system transport opens a message under its final name and writes it after that;
a worker that looks in between reads nothing, fails to parse it and ends. Here a message and the
first table of an exchange are written beside their names and then moved there in one step.
"""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from time import time_ns
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem

SCHEME = "filesystem"


class Channel(filesystem.Channel):
    """kombu's channel with writes that can't be seen half done."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:
        # Workers take files in the order of their names: oldest first.
        name = f"{time_ns():020d}_{uuid.uuid4()}.{queue}.msg"
        write_whole(Path(self.data_folder_out) / name, payload)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        file = self._exchange_file(exchange)
        self.control_folder.mkdir(exist_ok=True)
        if not file.exists():
            try:
                write_whole(file, [[routing_key or "", pattern or "", queue or ""]], anew=True)
                return
            except FileExistsError:
                pass  # another process was first: add our queue to its table
        super()._queue_bind(exchange, routing_key, pattern, queue)


class Transport(filesystem.Transport):
    Channel = Channel


def write_whole(path: Path, content: Any, *, anew: bool = False) -> None:
    """Write JSON so that `path` never holds a part of it.

    Raises:
        FileExistsError: `anew` was asked for and the file is there.
    """
    # No reader takes a name that doesn't end as a message or table does.
    draft = path.with_name(f"{path.name}.{uuid.uuid4()}.part")
    try:
        draft.write_text(json.dumps(content))
        if anew:
            os.link(draft, path)
        else:
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def install() -> None:
    """Make ``filesystem://`` mean this transport."""
    TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
