"""One worker at a time works on a row, and a dead one doesn't keep it."""

from __future__ import annotations

import datetime
import time

import pytest
from django.utils import timezone

from jobs.errors import Overtaken
from jobs.leases import Lease, held
from jobs.models import Job
from tests.jobs.factories import make_job


@pytest.fixture
def job(owner, lab, cluster):
    return make_job(owner, lab)


def test_a_held_row_is_not_given_to_a_second_worker(job):
    with held(Job, job.pk) as first:
        assert first is not None
        with held(Job, job.pk) as second:
            assert second is None
        assert Job.objects.get(pk=job.pk).lease_token == first.token
    with held(Job, job.pk) as again:
        assert again is not None


def test_the_lease_of_a_dead_worker_runs_out(job):
    dead = Lease(Job, job.pk, 30)
    assert dead.take()
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - datetime.timedelta(seconds=1))
    with held(Job, job.pk) as lease:
        assert lease is not None
        with pytest.raises(Overtaken):
            dead.renew()
        dead.give_back()
        assert Job.objects.get(pk=job.pk).lease_token == lease.token


def test_a_lease_is_given_back_when_the_work_fails(job):
    with pytest.raises(ZeroDivisionError), held(Job, job.pk):
        raise ZeroDivisionError
    job.refresh_from_db()
    assert (job.lease_token, job.lease_until) == ("", None)


@pytest.mark.django_db(transaction=True)
def test_long_work_keeps_its_lease_alive(owner, lab, cluster):
    job = make_job(owner, lab)
    with held(Job, job.pk, seconds=0.6) as lease:
        assert lease is not None
        time.sleep(1.5)
        with held(Job, job.pk, seconds=0.6) as second:
            assert second is None
        lease.renew()


def test_a_loop_renews_only_now_and_then(job, django_assert_num_queries):
    lease = Lease(Job, job.pk, 30)
    lease.take()
    with django_assert_num_queries(0):
        for _ in range(100):
            lease.ensure()
