"""Which symmetry functions are kept, which not, and that it is said why."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mlmd.errors import InvalidInput
from mlmd.hdnnp.automatic import automatic_functions
from mlmd.hdnnp.column_choice import cur, farthest_points, uncorrelated
from mlmd.hdnnp.derivatives import DescriptorSet
from mlmd.hdnnp.potential import (
    Activation,
    ElementNetwork,
    Potential,
    Scaling,
)
from mlmd.hdnnp.pruning import Reason, Selection, prune, sample_frames
from mlmd.hdnnp.pruning_record import pruning_record, read_pruning
from tests.mlmd.training.materials import crystal, label, molecules
from tests.mlmd.training.test_derivatives import compact_functions, mixed_functions


def correlation_of(values):
    return np.corrcoef(values, rowvar=False)


def test_of_two_that_go_together_the_cheaper_one_stays():
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 500))
    values = np.stack([a, a + 0.01 * b, -a + 0.02 * b, b], axis=1)
    found = correlation_of(values)
    assert uncorrelated(found, [1, 2, 3, 4], 0.99).tolist() == [0, 3]
    assert uncorrelated(found, [3, 2, 1, 4], 0.99).tolist() == [2, 3]
    assert uncorrelated(found, [1, 2, 3, 4], 1.0).tolist() == [0, 1, 2, 3]


def test_each_farthest_point_is_farthest_from_those_before():
    values = np.random.default_rng(1).normal(size=(40, 9)) @ np.random.default_rng(2).normal(
        size=(9, 12)
    )
    standard = values - values.mean(axis=0)
    standard /= np.linalg.norm(standard, axis=0)
    chosen = farthest_points(correlation_of(values), 6, 1.0).tolist()
    assert len(set(chosen)) == 6
    for count in range(1, 6):
        # A function and its negative say the same.
        distances = [
            min(
                min(np.linalg.norm(z - s * standard[:, k]) for s in (1, -1)) for k in chosen[:count]
            )
            for z in standard.T
        ]
        assert distances[chosen[count]] == pytest.approx(max(distances))


def test_cur_takes_as_many_columns_as_tell_the_others():
    generator = np.random.default_rng(3)
    values = generator.normal(size=(300, 4)) @ generator.normal(size=(4, 15))
    chosen = cur(correlation_of(values), 15, 0.9999)
    assert len(chosen) == 4
    columns = np.column_stack([values[:, chosen], np.ones(300)])
    rest = values - columns @ np.linalg.lstsq(columns, values)[0]
    assert np.abs(rest).max() < 1e-9
    assert cur(correlation_of(values), 2, 0.9999).tolist() == chosen[:2].tolist()


def test_what_is_left_tells_what_was_dropped_as_well_as_was_asked():
    frames = crystal(["Si"], 12)
    functions = automatic_functions(("Si",))
    offered = DescriptorSet(("Si",), functions)
    values = np.concatenate([p[0][1] for p in offered.values_of_many(frames, 1)])
    found = prune(functions, frames, Selection.CUR, correlation_limit=0.98).elements[0]
    assert 4 < len(found.kept) < 26 == found.offered
    assert found.atoms == 96
    kept = [functions["Si"].index(f) for f in found.kept]
    columns = np.column_stack([values[:, kept], np.ones(len(values))])
    rest = values - columns @ np.linalg.lstsq(columns, values)[0]
    assert (rest.std(axis=0) <= 0.02001 * values.std(axis=0)).all()
    alone = prune(functions, frames, "correlation", correlation_limit=0.98).elements[0]
    assert all(item.correlation > 0.98 for item in alone.dropped)
    alike = np.abs(correlation_of(values))
    for item in alone.dropped:
        pair = functions["Si"].index(item.function), functions["Si"].index(item.like)
        assert item.correlation == pytest.approx(alike[pair], abs=1e-9)


def test_pairs_that_never_meet_are_dropped_as_constant():
    apart = [[0, 0, 0], [1.4, 0, 0], [30, 0, 0], [31.2, 0, 0]]
    frames = [
        label("NNOO", np.array(apart) * x, np.zeros((3, 3)), False) for x in (1.0, 1.1, 1.2, 1.3)
    ]
    functions = automatic_functions(("N", "O"))
    found = prune(functions, frames)
    for part, other in zip(found.elements, "ON", strict=True):
        assert not any(other in function.neighbors for function in part.kept)
        gone = {item.function for item in part.dropped if item.reason is Reason.CONSTANT}
        assert gone >= {f for f in functions[part.element] if other in f.neighbors}
        assert {*part.kept, *(item.function for item in part.dropped)} == {*functions[part.element]}
    assert found.lines[0].startswith("N: ")


def test_functions_given_twice_and_atoms_alone_are_no_trouble():
    (alone,) = prune(
        automatic_functions(("Ar",)), [label(["Ar"], [[0, 0, 0]], np.zeros((3, 3)), False)]
    ).elements
    assert len(alone.kept) == 1
    assert alone.count(Reason.CONSTANT) == 25
    functions = automatic_functions(("Si",))["Si"]
    frames = crystal(["Si"], 5)
    for selection in Selection:
        (part,) = prune({"Si": functions[:4] + functions[:4]}, frames, selection).elements
        assert part.count(Reason.DOUBLED) == 4


@pytest.mark.parametrize("selection", [Selection.FARTHEST_POINT, Selection.CUR])
def test_a_number_is_kept_to_whatever_the_threads(selection):
    frames = crystal(["O", "Si"], 8)
    functions = automatic_functions(("O", "Si"))
    found = prune(functions, frames, selection, count=9)
    assert [len(part.kept) for part in found.elements] == [9, 9]
    assert found == prune(functions, frames, selection, count=9, threads=3)


def test_rare_kinds_are_looked_at():
    many, rare = crystal(["Si"], 200, kind="bulk"), crystal(["Si"], 2, seed=5, kind="dimer")
    frames = [*many[:100], *rare, *many[100:]]
    chosen = sample_frames(frames, ("Si",), 160)
    assert {100, 101} <= set(chosen)
    assert len(chosen) <= 26
    assert min(chosen) < 10
    assert max(chosen) > 190
    assert sample_frames(frames, ("Si",)) == tuple(range(202))


def test_functions_of_a_potential_are_pruned_as_they_are():
    frames = molecules(6)
    functions = automatic_functions(("H", "O"))
    ones = {e: np.ones(len(functions[e])) for e in functions}
    network = ElementNetwork((np.ones((70, 1)),), (np.zeros(1),), (Activation.LINEAR,))
    potential = Potential(
        ("H", "O"), functions, {e: Scaling(*[ones[e]] * 4) for e in functions},
        dict.fromkeys(functions, network),
    )  # fmt: skip
    assert prune(potential, frames) == prune(functions, frames)


@pytest.mark.parametrize("descriptors", [mixed_functions(), compact_functions()])
def test_a_pruning_survives_as_json(descriptors):
    frames = molecules(4)
    found = prune(descriptors.functions, frames, "cur", 2)
    record = json.loads(json.dumps(pruning_record(found)))
    again = read_pruning(record, "here")
    for part, other in zip(found.elements, again.elements, strict=True):
        assert part.kept == other.kept
        assert [item.function for item in part.dropped] == [item.function for item in other.dropped]
        assert [item.reason for item in part.dropped] == [item.reason for item in other.dropped]
    assert pruning_record(again) == record
    del record["elements"][0]["kept"]
    with pytest.raises(InvalidInput, match=r"here.*kept"):
        read_pruning(record, "here")


def test_wrong_numbers_and_missing_elements_are_named():
    functions = automatic_functions(("O", "Si"))
    frames = crystal(["Si"], 2)
    with pytest.raises(InvalidInput, match="no atom of O"):
        prune(functions, frames)
    both = [*frames, replace(frames[0], numbers=np.full(8, 8, np.uint8))]
    with pytest.raises(InvalidInput, match="at least 1"):
        prune(functions, both, count=0)
    with pytest.raises(InvalidInput, match="at most 1"):
        prune(functions, both, correlation_limit=1.5)
