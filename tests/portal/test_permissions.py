"""Every page and every API route, called by everyone, on private, shared and public objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from jobs.services import cluster_ensure_local
from tests.portal.routes import ROUTES, Route
from tests.portal.samples import (
    ROLES,
    World,
    changes,
    make_world,
    potential_archive,
    sees,
)

BACKEND = "django.contrib.auth.backends.ModelBackend"
FILES = {"<file>", "<archive>"}
FORMAT_SUFFIX = "format"  # routers add every route again as `….json`


@pytest.fixture(autouse=True)
def _own_folders(settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.JOBS_DIR = tmp_path / "jobs"
    settings.LOCAL_CLUSTER_DIR = tmp_path / "cluster"
    settings.MEDIA_ROOT = tmp_path / "media"
    monkeypatch.setattr("jobs.nudge._send", lambda task, key: None)


def patterns(resolver: Any = None, namespace: str = "") -> Iterator[tuple[str, URLPattern]]:
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            inner = pattern.namespace or ""
            if inner != "admin":  # Django's own; only operators reach it (tests/labs)
                yield from patterns(pattern, inner or namespace)
        elif FORMAT_SUFFIX not in pattern.pattern.regex.groupindex:
            yield f"{namespace}:{pattern.name}", pattern


def test_every_route_makes_a_promise() -> None:
    known = {name for name, _ in patterns()}
    assert known - set(ROUTES) == set(), "declare these in tests/portal/routes.py"
    assert set(ROUTES) - known == set(), "these routes are gone"


def test_every_method_of_the_api_makes_a_promise() -> None:
    missing = []
    for name, pattern in patterns():
        offered = set(getattr(pattern.callback, "actions", {})) - {"put", "head", "options"}
        promised = {route.method for route in ROUTES.get(name, ())}
        missing += [f"{name} {method}" for method in sorted(offered - promised)]
    assert missing == []


@pytest.mark.django_db
@pytest.mark.parametrize("room", ["portal", "labs", "jobs", "datasets", "potentials", "api"])
def test_everyone_gets_what_the_route_promises(room: str, client: Client) -> None:
    world = make_world()
    wrong = []
    for name, routes in ROUTES.items():
        if name.split(":")[0] != room:
            continue
        for route in routes:
            for role in ("anonymous", *ROLES):
                wrong += [
                    f"{route.method} {name} as {role}: {found}"
                    for found in _complaints(client, world, name, route, role)
                ]
    assert wrong == [], "\n".join(wrong)


def _complaints(client: Client, world: World, name: str, route: Route, role: str) -> Iterator[str]:
    for visibility, target in _targets(world, route, role):
        with transaction.atomic():
            client.logout()
            if role != "anonymous":
                client.force_login(world.people[role], backend=BACKEND)
            answer = _call(client, world, name, route, target)
            text = _text(answer)
            answer.close()  # a file that is sent stays open until then
            # What was changed must not disturb the next call.
            transaction.set_rollback(True)
        verdict = _verdict(world, route, role, visibility, name, answer, text)
        if verdict:
            yield f"{visibility or 'plain'} → {answer.status_code}, expected {verdict}"


def _targets(world: World, route: Route, role: str) -> Iterator[tuple[str, Any]]:
    if route.access in {"read", "change", "use"}:
        yield from world.of(route.kind)
    elif route.kind == "lab":
        yield "", world.people.get(role, world.people["owner"]).memberships.get().lab
    elif route.kind == "cluster":
        yield "", cluster_ensure_local()
    else:
        yield "", world.own.get(route.kind)


def _call(client: Client, world: World, name: str, route: Route, target: Any) -> Any:
    if route.kind == "secret":
        arguments = {"secret": world.own["secret"]}
    elif route.kind == "membership":
        arguments = {"pk": target.pk}
    elif target is not None:
        arguments = {"public_id": target.public_id}
    else:
        arguments = {}
    address = reverse(name, kwargs={**arguments, **route.more})
    if route.method == "get":
        return client.get(address)
    body = {key: _filled(world, value) for key, value in route.body.items()}
    if name.startswith("api:") and not FILES & set(map(str, route.body.values())):
        send = getattr(client, route.method)
        return send(address, json.dumps(body), content_type="application/json")
    if route.access == "create" and not route.body.get("files"):
        body = _prefilled(client, address) | body
    return client.post(address, body)


def _prefilled(client: Client, address: str) -> dict[str, Any]:
    """Return what a browser would send of the page's form without a touch."""
    form = _Form()
    answer = client.get(address)
    form.feed(answer.content.decode().split("<main")[-1] if answer.status_code == 200 else "")
    return form.values


class _Form(HTMLParser):
    """Collects the values of inputs and selects."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._select = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "select":
            self._select = name
        elif tag == "option" and (self._select not in self.values or "selected" in given):
            self.values[self._select] = value
        elif (
            tag == "input"
            and name
            and (given.get("type") not in {"checkbox", "radio"} or "checked" in given)
        ):
            self.values[name] = value


def _filled(world: World, value: Any) -> Any:
    """Put real things in place of ``<kind>``, ``<lab>`` and ``<file>``."""
    if isinstance(value, list):
        return [_filled(world, item) for item in value]
    if value == "<lab>":
        return str(world.lab.public_id)
    if value == "<archive>":
        return potential_archive()
    if value == "<file>":
        return SimpleUploadedFile("si.xyz", b"1\n\nSi 0 0 0\n")
    if isinstance(value, str) and value.startswith("<"):
        return str(world.objects[value.strip("<>"), "public"].public_id)
    return value


def _text(answer: Any) -> str:
    return (
        "" if isinstance(answer, StreamingHttpResponse) else answer.content.decode(errors="replace")
    )


def _verdict(
    world: World, route: Route, role: str, visibility: str, name: str, answer: Any, text: str
) -> str:
    """Return what was expected, or nothing when the answer is right."""
    status = answer.status_code
    if status >= 500 or status == 405:
        return "no defect and this method"
    if route.access == "open":
        return "" if status < 400 or (route.lacks and status == 404) else "open to all"
    if role == "anonymous":
        asked = status in {401, 403} if name.startswith("api:") else _leads_to_sign_in(answer)
        return "" if asked else "to be asked to sign in"
    check = {"own": _own, "list": _list, "create": _create, "manage": _manage, "work": _work}.get(
        route.access
    )
    if check:
        return check(world, route, role, status, text)
    return _object(route, role, visibility, status)


def _leads_to_sign_in(answer: Any) -> bool:
    return answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in/")


def _own(world: World, route: Route, role: str, status: int, text: str) -> str:
    if route.kind == "token":
        if role == "owner":
            return "" if status < 400 else "one's own token"
        return "" if status == 404 else "404: someone else's token"
    if route.body.get("lab") == "<lab>" and role == "stranger":
        return "" if status == 404 else "404: not one's lab"
    is_lacking = route.lacks and status == 404
    refused = route.method == "post" and status == 400
    return "" if status < 400 or is_lacking or refused else "an answer"


def _list(world: World, route: Route, role: str, status: int, text: str) -> str:
    if status != 200:
        return "200"
    for visibility, thing in world.of(route.kind):
        shown = str(thing.public_id) in text
        if shown != sees(role, visibility):
            return f"the {visibility} {route.kind} {'hidden' if shown else 'shown'}"
    return ""


def _create(world: World, route: Route, role: str, status: int, text: str) -> str:
    if role == "guest":
        return "" if status == 403 else "403: guests create nothing"
    return "" if status in {200, 201, 202, 302, 400, 415} else "to be allowed"


def _manage(world: World, route: Route, role: str, status: int, text: str) -> str:
    if role == "manager":
        return "" if status < 400 else "managers may"
    if role == "stranger":
        # A stranger is manager of another lab: there they may, here nothing exists.
        allowed = 404 if route.kind else 200
        return "" if status == allowed or (not route.kind and status < 400) else str(allowed)
    return "" if status in {403, 404} else "403: not a manager"


def _work(world: World, route: Route, role: str, status: int, text: str) -> str:
    if role == "guest":
        # What a guest would take away isn't there: 400 is as good.
        allowed = {403, 400} if route.method == "delete" else {403}
        return "" if status in allowed else "403: guests work nowhere"
    if role == "stranger":
        return "" if status == 404 else "404: must not exist for them"
    return "" if status < 400 or (route.method == "delete" and status == 400) else "to be allowed"


def _object(route: Route, role: str, visibility: str, status: int) -> str:
    if not sees(role, visibility):
        return "" if status == 404 else "404: must not exist for them"
    if status == 404:
        return "" if route.lacks else "to exist for them"
    if route.access == "read":
        return "" if status < 400 or (route.lacks and status == 400) else "to be readable"
    if route.access == "use" and role == "stranger":
        return ""  # what comes of it may belong to the lab of the object: 403 is as good
    may = changes(role, visibility) if route.access == "change" else role != "guest"
    if may:
        return "" if status not in {401, 403} else "to be allowed"
    return "" if status == 403 else "403 in words"
