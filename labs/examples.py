"""The API call of a page as text to copy: curl and Python."""

from __future__ import annotations

import json
import shlex
from typing import Any

VARIABLE = "MLMD_TOKEN"  # of the reader's shell, not of the site


def curl_call(method: str, url: str, body: Any = None, save: str = "") -> str:
    """Return a curl command; the token is read from the shell variable MLMD_TOKEN.

    Args:
        method: HTTP method.
        url: absolute address.
        body: JSON value to send, or None.
        save: file name for an answer that is a file.
    """
    words = ["curl", "--fail", "-H", f'"Authorization: Bearer ${VARIABLE}"']
    if method.upper() != "GET":
        words += ["-X", method.upper()]
    if body is not None:
        text = json.dumps(body, ensure_ascii=False)
        words += ["-H", '"Content-Type: application/json"', "-d", shlex.quote(text)]
    if save:
        words += ["-o", shlex.quote(save)]
    return " ".join([*words, shlex.quote(url)])


def python_call(method: str, url: str, body: Any = None, save: str = "") -> str:
    """Return a Python script that needs the standard library only; arguments as in `curl_call`."""
    lines = [f"import {'json, ' if body is not None or not save else ''}os, urllib.request", ""]
    arguments = [json.dumps(url)]
    if body is not None:
        lines += [f"body = {_python(body)}"]
        arguments.append("data=json.dumps(body).encode()")
    if method.upper() != "GET":
        arguments.append(f'method="{method.upper()}"')
    headers = [f'"Authorization": "Bearer " + os.environ["{VARIABLE}"]']
    if body is not None:
        headers.append('"Content-Type": "application/json"')
    lines += [
        "request = urllib.request.Request(",
        *(f"    {argument}," for argument in arguments),
        f"    headers={{{', '.join(headers)}}},",
        ")",
        *_reading(save),
    ]
    return "\n".join(lines)


def _reading(save: str) -> list[str]:
    if not save:
        return [
            "with urllib.request.urlopen(request) as answer:",
            "    print(json.load(answer))",
        ]
    return [
        f'with urllib.request.urlopen(request) as answer, open({json.dumps(save)}, "wb") as file:',
        "    while block := answer.read(1 << 20):",
        "        file.write(block)",
    ]


def _python(value: Any) -> str:
    """Return a JSON value as Python source: repr of what JSON gives back."""
    return repr(json.loads(json.dumps(value)))
