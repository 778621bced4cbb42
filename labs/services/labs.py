"""Labs and their members."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from labs.audit import audit_record
from labs.exceptions import Refused
from labs.models import Lab, Membership, Role, User
from labs.selectors import role_in


def require_manager(actor: User, lab: Lab) -> None:
    """Refuse everyone but the lab's managers.

    Raises:
        PermissionDenied: the actor isn't a manager of the lab.
    """
    if role_in(actor, lab) != Role.MANAGER:
        raise PermissionDenied(_("Only managers of %(lab)s can do this.") % {"lab": lab})


@transaction.atomic
def lab_create(
    *, name: str, manager: User, description: str = "", actor: User | None = None
) -> Lab:
    """Make a lab with its first manager.

    Raises:
        Refused: the name is empty or taken.
    """
    name = name.strip()
    if not name:
        raise Refused(_("A lab needs a name."))
    if Lab.objects.filter(name__iexact=name).exists():
        raise Refused(_("There is a lab called “%(name)s” already.") % {"name": name})
    lab = Lab.objects.create(name=name, description=description.strip())
    Membership.objects.create(user=manager, lab=lab, role=Role.MANAGER)
    audit_record(actor=actor, verb="lab created", target=lab, manager=manager.email)
    return lab


@transaction.atomic
def lab_update(*, lab: Lab, actor: User, name: str, description: str) -> Lab:
    """Rename or describe a lab.

    Raises:
        PermissionDenied: the actor isn't a manager.
        Refused: another lab has the name.
    """
    require_manager(actor, lab)
    name = name.strip()
    if Lab.objects.filter(name__iexact=name).exclude(pk=lab.pk).exists():
        raise Refused(_("There is a lab called “%(name)s” already.") % {"name": name})
    before = lab.name
    lab.name, lab.description = name, description.strip()
    lab.save(update_fields=["name", "description"])
    audit_record(actor=actor, verb="lab changed", target=lab, name_before=before)
    return lab


@transaction.atomic
def member_add(*, lab: Lab, user: User, role: str, actor: User | None) -> Membership:
    """Make someone a member; the callers decide who may do so.

    Raises:
        Refused: the person belongs to the lab already.
    """
    try:
        with transaction.atomic():
            membership = Membership.objects.create(lab=lab, user=user, role=role)
    except IntegrityError as error:
        raise Refused(
            _("%(person)s belongs to %(lab)s already.") % {"person": user, "lab": lab}
        ) from error
    audit_record(actor=actor, verb="member joined", target=lab, member=user.email, role=role)
    return membership


@transaction.atomic
def member_set_role(*, membership: Membership, actor: User, role: str) -> Membership:
    """Give a member another role.

    Raises:
        PermissionDenied: the actor isn't a manager.
        Refused: the lab would have no manager left.
    """
    require_manager(actor, membership.lab)
    membership = _lock(membership)
    before = membership.role
    if before == Role.MANAGER and role != Role.MANAGER:
        _keep_a_manager(membership)
    membership.role = Role(role)
    membership.save(update_fields=["role"])
    audit_record(
        actor=actor,
        verb="role changed",
        target=membership.lab,
        member=membership.user.email,
        role=role,
        role_before=before,
    )
    return membership


@transaction.atomic
def member_remove(*, membership: Membership, actor: User) -> None:
    """Remove a member; what the person made stays in the lab.

    Raises:
        PermissionDenied: the actor is neither a manager nor the member.
        Refused: the lab would have no manager left.
    """
    leaving = membership.user_id == actor.pk
    if not leaving:
        require_manager(actor, membership.lab)
    membership = _lock(membership)
    if membership.role == Role.MANAGER:
        _keep_a_manager(membership)
    lab, user = membership.lab, membership.user
    membership.delete()
    verb = "member left" if leaving else "member removed"
    audit_record(actor=actor, verb=verb, target=lab, member=user.email)


@transaction.atomic
def shared_account_create(
    *, lab: Lab, actor: User, name: str, email: str, password: str, role: str = Role.MEMBER
) -> User:
    """Make an account that several people of the lab use.

    Raises:
        PermissionDenied: the actor isn't a manager.
        Refused: the address is taken, or the password is too weak.
    """
    require_manager(actor, lab)
    if User.objects.filter(email__iexact=email).exists():
        raise Refused(_("An account with this e-mail address exists already."))
    user = User(email=email, name=name)
    _check_password(password, user)
    user = User.objects.create_user(email, password, name=name, is_shared=True)
    member_add(lab=lab, user=user, role=role, actor=actor)
    audit_record(actor=actor, verb="shared account made", target=lab, account=email)
    return user


@transaction.atomic
def shared_account_set_password(*, membership: Membership, actor: User, password: str) -> None:
    """Set the password of a shared account of the lab.

    Raises:
        PermissionDenied: the actor isn't a manager of the lab.
        Refused: the account isn't shared, belongs to other labs too, or the password is too weak.
    """
    require_manager(actor, membership.lab)
    user = membership.user
    if not user.is_shared:
        raise Refused(_("People set the password of their own account themselves."))
    if user.memberships.exclude(lab=membership.lab).exists():
        raise Refused(_("This account belongs to other labs too; ask the site's operator."))
    _check_password(password, user)
    user.set_password(password)
    user.save(update_fields=["password"])
    audit_record(actor=actor, verb="password set", target=membership.lab, account=user.email)


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Refused(" ".join(error.messages)) from error


def _lock(membership: Membership) -> Membership:
    """Return the row as it is now, the lab's managers locked, so that two can't leave at once."""
    rows = Membership.objects.select_for_update().filter(lab=membership.lab).order_by("pk")
    for row in rows.select_related("user", "lab"):
        if row.pk == membership.pk:
            return row
    raise Refused(_("This person has left the lab already."))


def _keep_a_manager(membership: Membership) -> None:
    others = Membership.objects.filter(lab=membership.lab, role=Role.MANAGER, user__is_active=True)
    if not others.exclude(pk=membership.pk).exists():
        raise Refused(
            _("%(person)s is the last manager of %(lab)s. Make someone else a manager first.")
            % {"person": membership.user, "lab": membership.lab}
        )
