"""Telling people that a run ended."""

from __future__ import annotations

import pytest
from django.core import mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from jobs import machine, notices
from jobs.models import Job, Notice, NoticeSettings
from jobs.states import State
from labs.models import Membership
from tests.jobs.factories import KIND, make_job, make_user


@pytest.fixture(autouse=True)
def _at_once(settings):
    settings.MLMD_MAIL_GATHER_SECONDS = 0


def finish(job: Job, state: State = State.FAILED, **more: object) -> Job:
    job.refresh_from_db()
    machine.move(job, state, **more)
    return job


def set_ways(user, **ways: str) -> None:
    notices.notice_settings_set(user=user, ways={KIND: ways}, mail_after_s=0)


def test_the_owner_is_told_with_the_reason(owner, lab, cluster):
    job = finish(make_job(owner, lab), reason="It went wrong.")
    notice = Notice.objects.get()
    assert (notice.user, notice.job, notice.outcome) == (owner, job, State.FAILED)
    assert notice.reason == "It went wrong."


def test_nobody_is_told_of_what_they_did_themselves(owner, lab, cluster):
    finish(make_job(owner, lab), State.CANCELLED, actor=owner)
    assert not Notice.objects.exists()


def test_a_cancellation_by_somebody_else_is_told(owner, lab, cluster):
    finish(make_job(owner, lab), State.CANCELLED, actor=make_user(lab, "manager"))
    assert Notice.objects.get().outcome == State.CANCELLED


def test_a_job_that_tries_again_by_itself_tells_nobody(owner, lab, cluster):
    job = make_job(owner, lab)
    for _ in range(machine.TRIES_BEFORE_BLOCKED):
        machine.trouble(job, "no route")
    assert job.state == State.BLOCKED
    assert not Notice.objects.exists()
    other = make_job(owner, lab)
    machine.trouble(other, "the quota is used up", needs_person=True)
    assert Notice.objects.get().job == other


def test_who_left_the_lab_is_not_told(owner, lab, cluster):
    job = make_job(owner, lab)
    Membership.objects.filter(user=owner).delete()
    finish(job)
    assert not Notice.objects.exists()


def test_a_move_that_is_undone_tells_nothing(owner, lab, cluster):
    job = make_job(owner, lab)
    with transaction.atomic():
        finish(job)
        assert Notice.objects.exists()
        transaction.set_rollback(True)
    assert not Notice.objects.exists()


@pytest.mark.parametrize(("way", "rows", "mails"), [("none", 0, 0), ("site", 1, 0), ("mail", 1, 1)])
def test_a_person_chooses_how_to_be_told(owner, lab, cluster, way, rows, mails):
    set_ways(owner, failed=way)
    finish(make_job(owner, lab))
    notices.send_due_mail()
    assert (Notice.objects.count(), len(mail.outbox)) == (rows, mails)


def test_short_runs_are_not_worth_a_mail(owner, lab, cluster):
    notices.notice_settings_set(user=owner, ways={}, mail_after_s=600)
    finish(make_job(owner, lab))
    old = make_job(owner, lab, title="Long one")
    Job.objects.filter(pk=old.pk).update(created_at=timezone.now() - timezone.timedelta(hours=1))
    finish(old)
    notices.send_due_mail()
    assert [message.subject for message in mail.outbox] == ["Long one: failed"]


def test_runs_that_end_together_share_one_mail(owner, lab, cluster, settings):
    settings.MLMD_ADDRESS = "https://portal.example"
    set_ways(owner, failed="mail", done="mail")
    for number in range(40):
        finish(make_job(owner, lab, title=f"Number {number}"), reason="Too hot.")
    assert notices.send_due_mail() == 1
    (message,) = mail.outbox
    assert message.subject == "40 runs, 40 failed"
    assert message.to == [owner.email]
    assert "Number 0 " in message.body
    assert "Too hot." in message.body
    assert "10 runs more" in message.body
    assert "https://portal.example/runs/" in message.body
    assert "&quot;" not in message.body


def test_no_mail_is_sent_before_the_others_had_time_to_join(owner, lab, cluster, settings):
    settings.MLMD_MAIL_GATHER_SECONDS = 3600
    set_ways(owner, failed="mail")
    finish(make_job(owner, lab))
    assert notices.send_due_mail() == 0


def test_no_end_is_mailed_twice(owner, lab, cluster):
    set_ways(owner, failed="mail")
    job = make_job(owner, lab)
    finish(job)
    notices.write(job, State.FAILED, "again")
    for _ in range(3):
        notices.send_due_mail()
    assert len(mail.outbox) == 1
    assert Notice.objects.get().mailed_at


def test_a_mail_server_that_refuses_is_tried_again_later(owner, lab, cluster, monkeypatch):
    set_ways(owner, failed="mail")
    finish(make_job(owner, lab))
    with monkeypatch.context() as patch:
        patch.setattr(notices, "send_mail", _refuse)
        assert notices.send_due_mail() == 0
    notice = Notice.objects.get()
    assert notice.mailed_at is None
    assert notice.mail_due_at > timezone.now()
    Notice.objects.update(mail_due_at=timezone.now())
    assert notices.send_due_mail() == 1


def _refuse(*args, **more):
    raise OSError("no route to the mail server")


class Killed(BaseException):
    """Ends a worker where nothing catches it; each statement before it is committed by itself."""


def test_a_worker_killed_while_mailing_loses_no_row_and_repeats_no_mail(
    owner, lab, cluster, monkeypatch
):
    def die(*args, **more):
        raise Killed

    set_ways(owner, failed="mail")
    finish(make_job(owner, lab))
    with monkeypatch.context() as patch:
        patch.setattr(notices, "send_mail", die)
        with pytest.raises(Killed):
            notices.send_due_mail()
    assert notices.send_due_mail() == 0
    assert mail.outbox == []
    notice = Notice.objects.get(read_at=None)
    assert notice.mail_claim
    assert notice.mailed_at is None


def test_the_bell_counts_and_the_page_marks_as_read(client, owner, lab, cluster):
    client.force_login(owner)
    finish(make_job(owner, lab, title="<i>first</i>"))
    finish(make_job(owner, lab, title="second"))
    page = client.get(reverse("jobs:notices"))
    assert "&lt;i&gt;first&lt;/i&gt;" in page.text
    assert page.context["unread_notices"] == 2
    first = Notice.objects.order_by("pk").first()
    client.post(reverse("jobs:notices-read"), {"notice": str(first.public_id)})
    assert client.get(reverse("jobs:notices") + "?new=1").context["unread_notices"] == 1
    client.post(reverse("jobs:notices-read"))
    assert "read everything" in client.get(reverse("jobs:notices") + "?new=1").text


def test_the_page_keeps_the_choices(client, owner, lab, cluster):
    client.force_login(owner)
    address = reverse("jobs:notice-settings")
    form = client.get(address).context["form"]
    data = {name: form[name].initial for name in form.fields}
    client.post(address, {**data, f"{KIND}-failed": "none", "mail_after": "5"})
    row = NoticeSettings.objects.get(user=owner)
    assert (row.ways[KIND]["failed"], row.mail_after_s) == ("none", 300)
    assert notices.way_for(row, KIND, State.FAILED) == notices.Way.NONE


def test_the_api_lists_marks_and_sets(client, owner, lab, cluster):
    client.force_login(owner)
    job = finish(make_job(owner, lab), reason="Too hot.")
    (row,) = client.get("/api/v1/notices/").json()["results"]
    assert (row["job"], row["outcome"], row["reason"]) == (str(job.public_id), "failed", "Too hot.")
    answer = client.post("/api/v1/notices/read/", {"ids": [row["id"]]}, "application/json")
    assert answer.json() == {"marked": 1}
    assert client.get("/api/v1/notices/?read_at__isnull=true").json()["count"] == 0
    body = {"ways": {KIND: {"failed": "mail"}}, "mail_after_s": 0}
    answer = client.put("/api/v1/notices/settings/", body, "application/json")
    assert answer.json()["ways"][KIND]["failed"] == "mail"
    wrong = {"ways": {KIND: {"exploded": "mail"}}}
    assert client.put("/api/v1/notices/settings/", wrong, "application/json").status_code == 400


def test_notices_of_others_are_neither_shown_nor_marked(client, owner, lab, cluster):
    finish(make_job(owner, lab))
    client.force_login(make_user(lab))
    assert client.get("/api/v1/notices/").json()["count"] == 0
    assert client.post("/api/v1/notices/read/", {}, "application/json").json() == {"marked": 0}
