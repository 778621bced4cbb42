import pytest

from jobs.patterns import wanted


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("result.json", "result.json", True),
        ("deep/result.json", "result.json", False),
        ("potential/input.nn", "potential", True),
        ("potential/input.nn", "potential/", True),
        ("potential/input.nn", "potential/*", True),
        ("a/b/c.npz", "*.npz", False),
        ("a/b/c.npz", "**/*.npz", True),
        ("c.npz", "**/*.npz", True),
        ("a/b/c.npz", "a/*/c.npz", True),
        ("a/b/c.npz", "a/c.npz", False),
        ("weights.014.data", "weights.[0-9]*.data", True),
        ("potentials/x", "potential", False),
    ],
)
def test_a_pattern_matches_as_a_person_expects(path, pattern, expected):
    assert wanted(path, [pattern]) is expected


def test_no_pattern_matches_nothing():
    assert not wanted("anything", [])
