"""Sample people and labs, for tests of every room."""

from __future__ import annotations

import itertools

from labs.models import Lab, Membership, Role, User

PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)


def make_lab(name: str = "") -> Lab:
    return Lab.objects.create(name=name or f"Sample lab {next(_numbers)}")


def make_user(
    lab: Lab | None = None, role: str = Role.MEMBER, name: str = "", email: str = "", **fields: bool
) -> User:
    number = next(_numbers)
    user: User = User.objects.create_user(
        email or f"sample{number}@people.example",
        PASSWORD,
        name=name or f"Sample {number}",
        **fields,
    )
    if lab is not None:
        make_membership(user, lab, role)
    return user


def make_membership(user: User, lab: Lab, role: str = Role.MEMBER) -> Membership:
    return Membership.objects.create(user=user, lab=lab, role=role)
