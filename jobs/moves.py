"""Which state may follow which: the whole truth about a job's life."""

from __future__ import annotations

from jobs.errors import IllegalMove
from jobs.states import State

S = State
ALLOWED: dict[State, frozenset[State]] = {
    S.CREATED: frozenset({S.STAGED, S.FAILED, S.BLOCKED, S.CANCELLED}),
    S.STAGED: frozenset({S.SUBMITTED, S.FAILED, S.BLOCKED, S.CANCELLING}),
    S.SUBMITTED: frozenset({S.RUNNING, S.ENDED, S.BLOCKED, S.CANCELLING}),
    # Back to SUBMITTED: batch systems put a run back into the queue when its node dies.
    S.RUNNING: frozenset({S.SUBMITTED, S.ENDED, S.BLOCKED, S.CANCELLING}),
    S.ENDED: frozenset({S.FETCHED, S.BLOCKED}),
    S.FETCHED: frozenset({S.DONE, S.FAILED, S.CANCELLED}),
    S.CANCELLING: frozenset({S.CANCELLED, S.ENDED, S.BLOCKED}),
    # A blocked job goes on where it was; only `machine.resume` uses these moves.
    S.BLOCKED: frozenset(
        {S.CREATED, S.STAGED, S.SUBMITTED, S.RUNNING, S.ENDED, S.CANCELLING, S.CANCELLED}
    ),
    # The last two begin a further attempt, and only a person asks for one.
    S.FAILED: frozenset({S.CREATED}),
    S.CANCELLED: frozenset({S.CREATED}),
    S.DONE: frozenset(),
}


def check(job: object, origin: State, target: State) -> None:
    """Refuse a move that the table doesn't hold.

    Raises:
        IllegalMove: with the states that could follow.
    """
    if target in ALLOWED[origin]:
        return
    following = ", ".join(sorted(ALLOWED[origin]))
    rest = f"after {origin} come only: {following}" if following else f"{origin} is final"
    raise IllegalMove(f"{job} is {origin} and cannot become {target}: {rest}.")


def replay(steps: list[tuple[str, str]]) -> State:
    """Return the state that a history of (origin, target) pairs leads to.

    Raises:
        IllegalMove: a step doesn't begin where the one before it ended, or isn't allowed.
    """
    if not steps or steps[0] != ("", State.CREATED):
        raise IllegalMove(f"a history begins with the move to {State.CREATED}, found {steps[:1]}.")
    state = State.CREATED
    for origin, target in steps[1:]:
        if origin != state:
            raise IllegalMove(f"the history leaves {origin} where the job was {state}.")
        check("the history", state, State(target))
        state = State(target)
    return state
