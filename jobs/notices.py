"""Telling people that a run ended: how they want to be told, the rows, and the mail."""

from __future__ import annotations

import datetime
import logging
import uuid
from collections.abc import Iterable
from enum import StrEnum
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.kinds import title_of
from jobs.models import Job, Notice, NoticeSettings
from jobs.states import State
from labs.exceptions import Refused

log = logging.getLogger(__name__)

OUTCOMES = (State.DONE, State.FAILED, State.CANCELLED, State.BLOCKED)
LISTED_IN_MAIL = 30
KEEP_READ = datetime.timedelta(days=90)
NEXT_TRY = datetime.timedelta(minutes=5)  # after the mail server refused
PEOPLE_AT_ONCE = 50


class Way(StrEnum):
    """How somebody is told."""

    NONE = "none"
    SITE = "site"
    MAIL = "mail"


DEFAULT_WAYS = {
    State.DONE: Way.MAIL,
    State.FAILED: Way.MAIL,
    State.CANCELLED: Way.SITE,
    State.BLOCKED: Way.MAIL,
}
DEFAULT_MAIL_AFTER = 600  # s that a run must have taken to be worth a mail


def way_for(chosen: NoticeSettings | None, kind: str, outcome: State) -> Way:
    """Return how a person wants to hear of this outcome of this kind of run."""
    word = (chosen.ways if chosen else {}).get(kind, {}).get(outcome, "")
    return Way(word) if word in set(Way) else DEFAULT_WAYS[outcome]


def write(job: Job, outcome: State, reason: str, *, actor: Any = None) -> None:
    """Write the notice to a run's owner; the caller's transaction is the one of the move.

    Nobody is told of what they did themselves, twice of the same outcome of an attempt, or of
    a lab that they have left.
    """
    if actor is not None and actor.pk == job.owner_id:
        return
    chosen = NoticeSettings.objects.filter(user_id=job.owner_id).first()
    way = way_for(chosen, job.kind, outcome)
    if way == Way.NONE or not job.owner.memberships.filter(lab_id=job.lab_id).exists():
        return
    least = chosen.mail_after_s if chosen else DEFAULT_MAIL_AFTER
    now = timezone.now()
    worth_mail = way == Way.MAIL and (now - job.created_at).total_seconds() >= least
    gather = datetime.timedelta(seconds=settings.MLMD_MAIL_GATHER_SECONDS)
    Notice.objects.get_or_create(
        user_id=job.owner_id,
        job=job,
        attempt=job.attempt,
        outcome=outcome,
        defaults={"reason": reason, "mail_due_at": now + gather if worth_mail else None},
    )


@transaction.atomic
def notice_settings_set(
    *, user: Any, ways: dict[str, dict[str, str]], mail_after_s: int
) -> NoticeSettings:
    """Say how a person wants to be told.

    Args:
        user: whose wish it is.
        ways: kind → outcome → way; what is left out keeps the default.
        mail_after_s: mail only about runs that took at least so long, s.

    Raises:
        Refused: an outcome or way that isn't there.
    """
    for by_outcome in ways.values():
        for outcome, way in by_outcome.items():
            if outcome not in OUTCOMES or way not in set(Way):
                raise Refused(
                    _("“%(outcome)s: %(way)s” can't be: outcomes are %(outcomes)s; ways %(ways)s.")
                    % {
                        "outcome": outcome,
                        "way": way,
                        "outcomes": ", ".join(OUTCOMES),
                        "ways": ", ".join(Way),
                    }
                )
    row, _made = NoticeSettings.objects.update_or_create(
        user=user, defaults={"ways": ways, "mail_after_s": mail_after_s}
    )
    return row


@transaction.atomic
def notices_mark_read(*, user: Any, public_ids: Iterable[Any] | None = None) -> int:
    """Mark a person's notices as read, all of them or those named; returns how many were new."""
    unread = Notice.objects.filter(user=user, read_at=None)
    if public_ids is not None:
        unread = unread.filter(public_id__in=list(public_ids))
    return unread.update(read_at=timezone.now())


def send_due_mail() -> int:
    """Mail what waits, one message a person; returns how many messages went out.

    A notice is due when it has waited `MLMD_MAIL_GATHER_SECONDS`, so that runs which end together
    come in one message. Notices are claimed before it is sent and given back when the mail server
    refuses; a worker that is killed between the two leaves a claim, and then the page alone tells
    it, because nobody can know whether the message left.
    """
    due = Notice.objects.filter(mail_due_at__lte=timezone.now())
    people = list(due.order_by().values_list("user_id", flat=True).distinct()[:PEOPLE_AT_ONCE])
    return sum(_mail_one(user_id) for user_id in people)


def _mail_one(user_id: int) -> bool:
    claim = uuid.uuid4().hex
    waiting = Notice.objects.filter(user_id=user_id, mail_due_at__isnull=False)
    if not waiting.update(mail_claim=claim, mail_due_at=None):
        return False
    mine = Notice.objects.filter(mail_claim=claim)
    sent = _mail(list(mine.select_related("user", "job__cluster").order_by("pk")))
    now = timezone.now()
    if sent:
        mine.update(mailed_at=now)
    else:
        mine.update(mail_claim="", mail_due_at=now + NEXT_TRY)
    return sent


def _mail(notices: list[Notice]) -> bool:
    user = notices[0].user
    rows = [
        {
            "notice": notice,
            "kind": title_of(notice.job.kind),
            "url": settings.MLMD_ADDRESS + reverse("jobs:detail", args=[notice.job.public_id]),
        }
        for notice in notices[:LISTED_IN_MAIL]
    ]
    text = render_to_string(
        "jobs/mail/notices.txt",
        {
            "user": user,
            "rows": rows,
            "more": max(0, len(notices) - LISTED_IN_MAIL),
            "settings_url": settings.MLMD_ADDRESS + reverse("jobs:notice-settings"),
        },
    )
    try:
        return bool(send_mail(_subject(notices), text, settings.DEFAULT_FROM_EMAIL, [user.email]))
    except (SMTPException, OSError):
        log.exception("%d notices of person %s couldn't be mailed", len(notices), user.pk)
        return False


def _subject(notices: list[Notice]) -> str:
    if len(notices) == 1:
        first = notices[0]
        subject = f"{first.job}: {first.get_outcome_display()}"
    else:
        failed = sum(notice.outcome == State.FAILED for notice in notices)
        count = len(notices)
        subject = ngettext("%(count)d run", "%(count)d runs", count) % {"count": count}
        if failed:
            subject += ", " + ngettext("%(n)d failed", "%(n)d failed", failed) % {"n": failed}
    return " ".join(subject.split())


def forget_read() -> None:
    """Remove notices that were read long ago."""
    Notice.objects.filter(read_at__lt=timezone.now() - KEEP_READ).delete()
