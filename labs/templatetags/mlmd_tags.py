"""Template tags and filters that every room uses."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from django import template
from django.template.context import Context
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from labs.examples import curl_call, python_call
from labs.states import tone_of

register = template.Library()

FORMULA_COUNT = re.compile(r"(?<=[A-Za-z\)\]])(\d+(?:\.\d+)?)")
BINARY_UNITS = ("KiB", "MiB", "GiB", "TiB")


@register.filter
def formula(text: Any) -> SafeString:
    """Return a chemical formula with subscripts: ``Si8O16`` → Si₈O₁₆; the input is escaped."""
    pieces = FORMULA_COUNT.split(str(text or ""))
    # split alternates text, count, text, count, … text
    pairs = zip(pieces[0::2], [*pieces[1::2], ""], strict=True)
    return format_html_join(
        "",
        "{}{}",
        ((word, format_html("<sub>{}</sub>", count) if count else "") for word, count in pairs),
    )


@register.filter(name="bytes")
def bytes_(size: Any) -> str:
    """Return a size in bytes with three digits and a binary unit: ``1.44 MiB``."""
    if size in (None, ""):
        return "–"
    value = float(size)
    if value < 1024:
        return ngettext("%(count)d byte", "%(count)d bytes", int(value)) % {"count": int(value)}
    step = -1
    while step < 0 or (value >= 1023.5 and step < len(BINARY_UNITS) - 1):
        value /= 1024
        step += 1
    digits = 0 if value >= 99.5 else 1 if value >= 9.95 else 2
    return f"{_rounded(value, digits)} {BINARY_UNITS[step]}"


@register.filter
def duration(seconds: Any) -> str:
    """Return a time span in its two largest units: ``2 min 5 s``; also takes a timedelta."""
    if seconds in (None, ""):
        return "–"
    total = seconds.total_seconds() if hasattr(seconds, "total_seconds") else float(seconds)
    if total < 10:
        return pgettext("duration", "%s s") % _rounded(max(total, 0), 1)
    whole = round(total)
    spans = (
        (86400, pgettext("duration", "%s d")),
        (3600, pgettext("duration", "%s h")),
        (60, pgettext("duration", "%s min")),
        (1, pgettext("duration", "%s s")),
    )
    words = []
    for length, text in spans:
        count, whole = divmod(whole, length)
        if count or words:
            words.append((count, text))
    return " ".join(text % count for count, text in words[:2] if count)


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """Return relative time in a ``<time>`` whose title is the absolute one."""
    if not moment:
        return "–"
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    seconds = (timezone.now() - moment).total_seconds() if timezone.is_aware(moment) else 0
    if seconds < -60:
        words = _("in %s") % timesince(timezone.now(), moment, depth=2)
    elif seconds < 60:
        words = _("just now")
    else:
        words = _("%s ago") % timesince(moment, depth=1)
    absolute = formats.date_format(local, "DATETIME_FORMAT")
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(), absolute, words
    )


@register.filter
def digits(value: Any, significant: int = 4) -> str:
    """Return a number with that many significant digits, never in exponent form from 1e-4 to 1e6."""
    if value in (None, ""):
        return "–"
    number = float(value)
    if number == 0 or 1e-4 <= abs(number) < 1e6:
        before = len(str(int(abs(number)))) if abs(number) >= 1 else _leading_zeros(number)
        return _rounded(number, max(0, int(significant) - before))
    return f"{number:.{int(significant) - 1}e}"


def _rounded(number: float, decimals: int) -> str:
    """Return the number in the locale's form; `number_format` alone cuts digits off."""
    return number_format(f"{number:.{decimals}f}", decimals)


def _leading_zeros(number: float) -> int:
    if number == 0:
        return 1
    exponent = int(f"{abs(number):e}".split("e")[1])
    return exponent + 1


@register.filter
def tone(state: Any) -> str:
    """Return the colour family of a state word: quiet, busy, good, warn or bad."""
    return tone_of(str(state)).tone


@register.filter
def state_icon(state: Any) -> str:
    return tone_of(str(state)).icon


@register.filter
def percent(fraction: Any) -> int:
    """Return 0 … 100 of a fraction, whole, for progress bars."""
    return min(100, max(0, int(float(fraction or 0) * 100)))


@register.filter
def is_expert(field: Any) -> bool:
    """Whether a bound form field belongs in the expert drawer."""
    return bool(field.field.widget.attrs.get("data-expert"))


@register.filter
def widget_kind(field: Any) -> str:
    """Return the widget's class name in lower case: for example ``checkboxinput``."""
    return type(field.field.widget).__name__.lower()


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """Return an icon of the sprite; decorative unless it has a label."""
    href = f"{static('icons.svg')}#{name}"
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}"/></svg>', label, href
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"/></svg>', href)


@register.simple_tag(takes_context=True)
def call_as_curl(context: Context, method: str, path: str, body: Any = None, save: str = "") -> str:
    return curl_call(method or "GET", _absolute(context, path), body or None, save or "")


@register.simple_tag(takes_context=True)
def call_as_python(
    context: Context, method: str, path: str, body: Any = None, save: str = ""
) -> str:
    return python_call(method or "GET", _absolute(context, path), body or None, save or "")


def _absolute(context: Context, path: str) -> str:
    request = context.get("request")
    return request.build_absolute_uri(path) if request is not None else path


@register.filter
def as_json(value: Any) -> str:
    """Return a value as indented JSON text (escaped by the template)."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.simple_block_tag(takes_context=True)
def navigation(context: Context, content: str) -> SafeString:
    """Render the main navigation; the text between the tags names the current entry."""
    html = render_to_string(
        "components/navigation.html",
        {"current": content.strip(), "user": context.get("user")},
    )
    return mark_safe(html)  # noqa: S308 - rendered by our own template, which escapes


@register.filter
def words(text: str) -> list[str]:
    """Split a text at spaces, for short fixed lists in templates."""
    return text.split()


@register.filter
def get(mapping: Any, key: str) -> Any:
    """Return ``mapping[key]``, or nothing where there is none."""
    return mapping.get(key, "")


@register.filter
def expert_fields(form: Any) -> list[Any]:
    return [field for field in form.visible_fields() if is_expert(field)]


@register.filter
def expert_errors(form: Any) -> bool:
    return any(field.errors for field in expert_fields(form))


@register.filter
def expert_used(form: Any) -> bool:
    """Whether any expert field of a bound filter form has a value."""
    return form.is_bound and any(field.value() for field in expert_fields(form))


@register.filter
def wrong_fields(form: Any) -> list[Any]:
    return [field for field in form.visible_fields() if field.errors]


@register.filter
def visibility_choices(thing: Any) -> list[Any]:
    return list(type(thing)._meta.get_field("visibility").flatchoices)
