"""File names for downloads."""

from __future__ import annotations

from django.utils.text import slugify


def file_stem(name: str, fallback: str) -> str:
    """Return a name that every file system takes, made from what a person wrote."""
    return slugify(name)[:60] or fallback
