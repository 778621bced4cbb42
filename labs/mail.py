"""Mail of the room; a lab without a mail server hands links over by itself."""

from __future__ import annotations

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from labs.models import Invitation

log = logging.getLogger(__name__)


def goes_to_files() -> bool:
    """Whether this site writes mail into a folder instead of sending it."""
    return "filebased" in settings.EMAIL_BACKEND


def invitation_send(invitation: Invitation, link: str) -> bool:
    """Mail an invitation; returns whether the mail server took it.

    A mail server that is down must not undo the invitation: its link still works.
    """
    text = render_to_string("labs/mail/invitation.txt", {"invitation": invitation, "link": link})
    subject = _("Invitation to %(lab)s") % {"lab": invitation.lab}
    try:
        sent = send_mail(subject, text, settings.DEFAULT_FROM_EMAIL, [invitation.email])
    except (SMTPException, OSError):
        log.exception("the invitation of %s couldn't be mailed", invitation.pk)
        return False
    return bool(sent)
