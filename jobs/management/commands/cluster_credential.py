"""`manage.py cluster_credential`: sign in on a cluster with a key file or an agent of this server."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from jobs.models import Cluster
from jobs.registration import credential_refer
from labs.exceptions import Refused


class Command(BaseCommand):
    help = (
        "For operators: the portal refers to a key on this server instead of storing one. The worker "
        "reads the file, or asks the agent at SSH_AUTH_SOCK, each time it signs in."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("cluster", help="id of the cluster, as in the address of its page")
        way = parser.add_mutually_exclusive_group(required=True)
        way.add_argument("--key-file", type=Path, help="private key without a passphrase")
        way.add_argument("--agent", action="store_true", help="keys of the SSH agent")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            cluster = Cluster.objects.filter(public_id=options["cluster"]).first()
        except ValidationError:
            cluster = None
        if cluster is None:
            raise CommandError(f"There is no cluster {options['cluster']}.")
        try:
            credential_refer(cluster=cluster, key_file=options["key_file"])
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{cluster} is asked anew; its page shows the answer.")
