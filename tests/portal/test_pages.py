"""The portal's own pages: home, search, errors, the API described."""

import re
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.test import Client, RequestFactory
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator

from labs.models import Lab, User
from portal import errors
from portal.api_docs import TITLES, groups
from portal.management.commands.collect_vendor import FILES, copy_files
from tests.jobs.factories import make_job
from tests.labs.factories import make_lab, make_user
from tests.potentials.factories import make_potential, make_structure, make_version

BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(autouse=True)
def _own_folders(settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.JOBS_DIR = tmp_path / "jobs"
    settings.MEDIA_ROOT = tmp_path / "media"
    monkeypatch.setattr("jobs.nudge._send", lambda task, key: None)


@pytest.fixture
def lab(db: None) -> Lab:
    return make_lab("Glass group")


@pytest.fixture
def person(lab: Lab) -> User:
    return make_user(lab)


@pytest.fixture
def signed_in(client: Client, person: User) -> Client:
    client.force_login(person, backend=BACKEND)
    return client


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_a_new_lab_is_shown_the_way_in_steps(signed_in: Client) -> None:
    page = signed_in.get("/").content.decode()
    assert page.count('class="step') >= 4
    assert 'class="step is-next"' in page
    assert reverse("potentials:train") in page


def test_the_way_shows_what_is_done_and_goes_away_at_the_end(
    signed_in: Client, person: User, lab: Lab
) -> None:
    make_version(person, lab)
    page = signed_in.get("/").content.decode()
    assert page.count("is-done") == 1
    assert "Data" in page


def test_an_active_lab_sees_its_runs_and_only_its_own_things(
    signed_in: Client, person: User, lab: Lab
) -> None:
    other = make_lab()
    stranger = make_user(other)
    make_job(person, lab, state="running", title="Fit glass", progress={"fraction": 0.4})
    make_job(stranger, other, "public", title="Foreign run")
    make_potential(person, lab, name="Silica potential")
    make_potential(stranger, other, "private", name="Hidden potential")
    page = text(signed_in.get("/"))
    assert "Fit glass" in page
    assert "40 %" in page
    assert "Silica potential" in page
    assert "Foreign run" not in page
    assert "Hidden potential" not in page


def test_the_home_page_asks_few_questions_however_much_there_is(
    signed_in: Client, person: User, lab: Lab, django_assert_max_num_queries: Any
) -> None:
    for number in range(8):
        make_job(person, lab, title=f"Run {number}")
        make_potential(person, lab)
    signed_in.get("/")
    with django_assert_max_num_queries(16):
        signed_in.get("/")


def test_someone_without_a_lab_learns_how_to_get_one(client: Client, db: None) -> None:
    client.force_login(make_user(), backend=BACKEND)
    assert "invitation link" in text(client.get("/"))


def test_the_search_finds_names_and_formulas_that_one_may_see(
    signed_in: Client, person: User, lab: Lab
) -> None:
    make_structure(person, lab)
    make_potential(person, lab, name="Quartz fit")
    make_potential(make_user(make_lab()), make_lab(), "private", name="Quartz secret")
    page = text(signed_in.get("/search/", {"q": "quartz"}))
    assert "Quartz fit" in page
    assert "Quartz secret" not in page
    assert "Si crystal" in text(signed_in.get("/search/", {"q": "si8"}))


@pytest.mark.parametrize("query", ["", "   ", "%", "<script>", "ガラス", "x" * 500])
def test_the_search_survives_any_text(signed_in: Client, query: str) -> None:
    answer = signed_in.get("/search/", {"q": query})
    assert answer.status_code == 200
    assert "<script>" not in answer.content.decode().split("</head>")[1]


def test_a_missing_page_says_so_in_the_frame(signed_in: Client) -> None:
    answer = signed_in.get("/nothing/here/")
    assert answer.status_code == 404
    assert "There is nothing here" in text(answer)
    assert 'class="nav"' in answer.content.decode()


def test_a_missing_route_of_the_api_answers_json(client: Client, db: None) -> None:
    answer = client.get("/api/v1/nothing/")
    assert answer.status_code == 404
    assert "deleted" in answer.json()["detail"]


def test_a_form_from_an_old_session_is_explained(lab: Lab, person: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person, backend=BACKEND)
    answer = strict.post("/account/", {"name": "Other"})
    assert answer.status_code == 403
    assert "The form had expired" in text(answer)
    person.refresh_from_db()
    assert person.name != "Other"


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize(
    ("view", "arguments", "status", "words"),
    [
        (errors.bad_request, (ValueError("x"),), 400, "reload the page"),
        (errors.bad_request, (RequestDataTooBig("x"),), 413, "larger"),
        (errors.forbidden, (PermissionDenied("Only managers."),), 403, "Only managers."),
        (errors.not_found, (ValueError("secret/path.py"),), 404, "deleted"),
        (errors.server_error, (), 500, "logged"),
    ],
)
def test_every_error_says_what_happened_and_what_to_do(
    rf: RequestFactory, view: Any, arguments: Any, status: int, words: str, accept: str
) -> None:
    answer = view(rf.get("/x/", headers={"Accept": accept}), *arguments)
    assert answer.status_code == status
    body = answer.content.decode()
    assert words in body
    assert "secret/path.py" not in body
    assert body.lstrip().startswith("{" if accept == "application/json" else "<!doctype")


def test_the_page_of_a_defect_needs_no_database(rf: RequestFactory) -> None:
    # No `db` fixture: a query would fail this test.
    assert b"made an error" in errors.server_error(rf.get("/")).content


def test_the_api_page_lists_every_route_of_the_document(signed_in: Client) -> None:
    schema = signed_in.get("/api/v1/schema/?format=json").json()
    page = signed_in.get("/api/docs/").content.decode()
    for path, methods in schema["paths"].items():
        assert path in page
        for method in methods:
            if method in {"get", "post", "patch", "delete"}:
                anchor = f"{method.upper()}-{path.strip('/').replace('/', '-')}"
                assert f'id="{anchor.replace("{", "").replace("}", "")}"' in page


def test_every_route_of_the_api_has_a_summary() -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    bare = [
        f"{method} {path}"
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if not operation.get("summary")
    ]
    assert bare == []


def test_the_api_page_groups_everything_under_a_translated_title() -> None:
    assert [group.key for group in groups() if group.key not in TITLES] == []


def test_scripts_get_their_words_from_the_catalog(client: Client) -> None:
    answer = client.get("/words.js")
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert "gettext" in answer.content.decode()


def test_the_site_says_that_it_lives_without_a_session(client: Client) -> None:
    assert client.get("/health/").content == b"ok"


def test_pages_allow_no_foreign_and_no_inline_scripts(signed_in: Client) -> None:
    answer = signed_in.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    scripts = re.findall(r"<script\b[^>]*>(.*?)</script>", answer.content.decode(), re.S)
    assert scripts
    assert all(not body.strip() for body in scripts)
    assert not re.search(r"\son\w+=", answer.content.decode())


def test_missing_packages_are_named(tmp_path: Any) -> None:
    with pytest.raises(FileNotFoundError, match=r"3Dmol-min\.js"):
        copy_files(tmp_path / "node_modules", tmp_path / "vendor")


def test_packages_are_copied_with_their_licences(tmp_path: Any) -> None:
    for name in FILES:
        path = tmp_path / "node_modules" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    copied = copy_files(tmp_path / "node_modules", tmp_path / "vendor")
    assert len(copied) == len(FILES)
    assert sum("LICENSE" in path.name for path in copied) == 3
