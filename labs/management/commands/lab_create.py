"""`manage.py lab_create`: makes a lab and prints the link that its first manager joins by."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.urls import reverse

from labs.exceptions import Refused
from labs.models import Role, User
from labs.services.invitations import invitation_create
from labs.services.labs import lab_create


class Command(BaseCommand):
    help = "Makes a lab; the manager is an existing account, or an operator invites them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="name of the lab")
        parser.add_argument("--manager", required=True, help="e-mail address of an account")
        parser.add_argument("--description", default="")
        parser.add_argument(
            "--invite", metavar="EMAIL", help="also invite this person as a manager"
        )
        parser.add_argument(
            "--address", default="http://127.0.0.1:8000", help="of the site, for the link"
        )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        manager = User.objects.filter(email__iexact=options["manager"]).first()
        if manager is None:
            raise CommandError(
                f"There is no account {options['manager']}; make one with createsuperuser first."
            )
        try:
            lab = lab_create(
                name=options["name"], description=options["description"], manager=manager
            )
            self.stdout.write(f"The lab {lab} is ready; {manager.email} manages it.")
            if options["invite"]:
                _, secret = invitation_create(
                    lab=lab, actor=manager, email=options["invite"], role=Role.MANAGER
                )
                path = reverse("labs:invitation", args=[secret])
                self.stdout.write(f"Link for {options['invite']}: {options['address']}{path}")
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
