"""The table of moves is the whole truth, and the history replays to the state."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import machine
from jobs.errors import IllegalMove, Overtaken
from jobs.models import Job
from jobs.moves import ALLOWED, check, replay
from jobs.states import ACTIVE, FINAL, ON_CLUSTER, STEPPED, State
from tests.jobs.factories import make_job


@pytest.fixture
def job(owner, lab, cluster):
    return make_job(owner, lab)


def test_every_state_has_its_row_and_every_active_state_somebody_who_carries_it_on():
    assert set(ALLOWED) == set(State)
    assert ON_CLUSTER | STEPPED == ACTIVE
    assert not ON_CLUSTER & STEPPED


def test_every_active_state_can_reach_an_end():
    for state in ACTIVE:
        reached, border = {state}, {state}
        while border:
            border = set().union(*(ALLOWED[s] for s in border)) - reached
            reached |= border
        assert reached & FINAL


def test_done_is_final():
    with pytest.raises(IllegalMove, match="done and cannot become running: done is final"):
        check("job 41", State.DONE, State.RUNNING)


@pytest.mark.parametrize(("origin", "target"), list(itertools.product(State, State)))
def test_moves_outside_of_the_table_write_nothing(job, origin, target):
    Job.objects.filter(pk=job.pk).update(state=origin)
    job.refresh_from_db()
    if target in ALLOWED[origin]:
        machine.move(job, target)
        assert Job.objects.get(pk=job.pk).state == target
        assert job.moves.count() == 2
    else:
        with pytest.raises(IllegalMove):
            machine.move(job, target)
        assert Job.objects.get(pk=job.pk).state == origin
        assert job.moves.count() == 1


@given(st.data())
def test_any_walk_through_the_table_replays_to_its_end(data):
    state, steps = State.CREATED, [("", State.CREATED)]
    for _ in range(data.draw(st.integers(0, 30))):
        following = sorted(ALLOWED[state])
        if not following:
            break
        target = data.draw(st.sampled_from(following))
        steps.append((state, target))
        state = target
    assert replay(steps) == state


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [("created", "staged")],
        [("", "created"), ("staged", "submitted")],
        [("", "created"), ("created", "running")],
    ],
)
def test_a_broken_history_is_noticed(steps):
    with pytest.raises(IllegalMove):
        replay(steps)


def test_a_slow_worker_cannot_undo_a_fast_one(job):
    slow = Job.objects.get(pk=job.pk)
    machine.move(job, State.STAGED)
    machine.move(job, State.SUBMITTED)
    with pytest.raises(Overtaken):
        machine.move(slow, State.STAGED)
    assert slow.state == State.CREATED
    assert Job.objects.get(pk=job.pk).state == State.SUBMITTED
    assert job.moves.count() == 3


def test_who_lost_the_lease_writes_nothing(job):
    Job.objects.filter(pk=job.pk).update(lease_token="theirs")
    with pytest.raises(Overtaken):
        machine.move(job, State.STAGED, lease="mine")
    machine.move(job, State.STAGED, lease="theirs")


def test_a_worker_of_an_earlier_attempt_writes_nothing(job):
    old = Job.objects.get(pk=job.pk)
    Job.objects.filter(pk=job.pk).update(attempt=2)
    with pytest.raises(Overtaken):
        machine.move(old, State.STAGED)


def test_trouble_waits_longer_each_time_and_then_blocks(job):
    waits = []
    for _ in range(machine.TRIES_BEFORE_BLOCKED - 1):
        machine.trouble(job, "no route")
        waits.append(machine.wait_after(job.failures).total_seconds())
        assert job.state == State.CREATED
    assert waits == sorted(waits) == [5, 10, 20, 40]
    machine.trouble(job, "no route")
    assert (job.state, job.blocked_from, job.reason) == ("blocked", "created", "no route")
    assert job.next_step_at is not None


def test_trouble_that_only_a_person_can_end_blocks_at_once_and_for_good(job):
    machine.trouble(job, "the key was refused", needs_person=True)
    assert job.state == State.BLOCKED
    assert job.next_step_at is None


def test_a_resumed_job_goes_on_where_it_was_and_one_more_failure_blocks_it(job):
    machine.move(job, State.STAGED)
    machine.trouble(job, "quota", needs_person=True)
    machine.resume(job, reason="Trying again.")
    assert (job.state, job.blocked_from) == (State.STAGED, "")
    machine.trouble(job, "quota")
    assert job.state == State.BLOCKED
    assert replay(list(job.moves.values_list("origin", "target"))) == State.BLOCKED
