"""Tests, by room; a package, because an installed one is called `tests` too."""
