"""Numbers, times and formulas as pages show them, and calls as people copy them."""

import ast
import subprocess
import sys
from datetime import timedelta

import pytest
from django.template import Context, Template
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from labs.examples import curl_call, python_call
from labs.states import TONES, tone_of
from labs.templatetags.mlmd_tags import ago, bytes_, digits, duration, formula, percent


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Si8O16", "Si<sub>8</sub>O<sub>16</sub>"),
        ("Ca(OH)2", "Ca(OH)<sub>2</sub>"),
        ("H", "H"),
        ("", ""),
        (None, ""),
        ("Fe0.95O", "Fe<sub>0.95</sub>O"),
        ("<b>2", "&lt;b&gt;2"),
    ],
)
def test_formulas_have_subscripts_and_stay_text(text: str, shown: str) -> None:
    assert formula(text) == shown


@given(st.text(max_size=40))
def test_no_formula_smuggles_html(text: str) -> None:
    rest = str(formula(text)).replace("<sub>", "").replace("</sub>", "")
    assert "<" not in rest
    assert ">" not in rest


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1.00 KiB"),
        (1_500_000, "1.43 MiB"),
        (1024**2 - 1, "1.00 MiB"),
        (150 * 1024**2, "150 MiB"),
        (5 * 1024**5, "5120 TiB"),
        (None, "–"),
    ],
)
def test_sizes_have_three_digits_and_a_unit(size: int | None, shown: str) -> None:
    assert bytes_(size) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.42, "0.4 s"),
        (12, "12 s"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (90061, "1 d 1 h"),
        (timedelta(minutes=15), "15 min"),
        (None, "–"),
    ],
)
def test_spans_name_their_two_largest_units(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (5.43095, "5.431"),
        (-107.9312, "-107.9"),
        (0.00123456, "0.001235"),
        (0, "0.000"),
        (12345.678, "12346"),
        (3.2e-7, "3.200e-07"),
        (None, "–"),
    ],
)
def test_numbers_keep_four_significant_digits(value: float | None, shown: str) -> None:
    assert digits(value) == shown


def test_times_are_relative_with_the_absolute_one_on_hover() -> None:
    moment = timezone.now() - timedelta(hours=3, minutes=10)
    html = ago(moment)
    assert "3\xa0hours ago" in html
    assert f'datetime="{timezone.localtime(moment).isoformat()}"' in html
    assert ago(timezone.now()).endswith(">just now</time>")
    assert "in 1\xa0week" in ago(timezone.now() + timedelta(days=13, hours=1))
    assert ago(None) == "–"


def test_progress_stays_between_0_and_100() -> None:
    assert [percent(x) for x in (None, -1, 0.999, 1, 7)] == [0, 0, 99, 100, 100]


def test_every_state_of_a_run_has_a_look_and_unknown_ones_are_quiet() -> None:
    jobs = "created staged submitted running ended fetched done failed blocked cancelling cancelled"
    assert set(jobs.split()) <= set(TONES)
    assert tone_of("FAILED").tone == "bad"
    assert tone_of("something new").tone == "quiet"


def test_every_icon_of_the_tones_is_drawn(settings) -> None:
    sprite = (settings.BASE_DIR / "static" / "icons.svg").read_text()
    for look in TONES.values():
        assert f'id="{look.icon}"' in sprite


def test_the_navigation_marks_where_one_is(db, rf) -> None:
    from tests.labs.factories import make_user

    source = "{% load mlmd_tags %}{% navigation %} potentials {% endnavigation %}"
    html = Template(source).render(Context({"user": make_user()}))
    assert html.count("aria-current") == 1
    assert html.index("aria-current") > html.index("/data/")


AWKWARD = {"name": 'it\'s "5" $HOME `x`; rm -rf /', "none": None, "yes": True}


def test_the_curl_line_survives_the_shell() -> None:
    line = curl_call("POST", "https://site.example/api/v1/x/?a=1&b=2", AWKWARD)
    script = f'curl() {{ printf "%s\\n" "$@"; }}; MLMD_TOKEN=secret; {line}'
    words = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "Authorization: Bearer secret" in words
    assert "https://site.example/api/v1/x/?a=1&b=2" in words
    import json

    assert json.loads(words[words.index("-d") + 1]) == AWKWARD


@pytest.mark.parametrize("save", ["", "data.extxyz"])
@pytest.mark.parametrize("body", [None, AWKWARD])
def test_the_python_example_is_python(body, save: str) -> None:
    text = python_call("GET" if body is None else "POST", "https://site.example/", body, save)
    ast.parse(text)
    used = {name for name in ("json", "os") if f"{name}." in text}
    imported = text.splitlines()[0]
    assert all(name in imported for name in used)


def test_the_python_example_runs(live_server, tmp_path, db) -> None:
    from labs.services.accounts import token_create
    from tests.labs.factories import make_user

    user = make_user()
    _, secret = token_create(user=user, name="x", scopes=["read"])
    script = tmp_path / "call.py"
    script.write_text(python_call("GET", f"{live_server.url}/api/v1/me/"))
    done = subprocess.run(
        [sys.executable, script],
        env={"MLMD_TOKEN": secret},
        capture_output=True,
        text=True,
        check=True,
    )
    assert user.email in done.stdout
