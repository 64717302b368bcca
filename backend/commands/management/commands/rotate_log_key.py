"""Changes the key that signs checkpoints: a last checkpoint is signed by both, so that trust passes from one to the other."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from backend import bootstrap
from backend.audit.notes import Signer
from backend.bootstrap.transparency import log_keys
from backend.commands.plain_errors import plain_database_errors
from backend.transparency.hashes import LogIncomplete
from backend.transparency.keys import KEY_FILE, KeyProblem, replace_key_file
from backend.transparency.log import TransparencyLog
from backend.transparency.signing import LogContradicted, LogKeys


class Command(BaseCommand):
    help = "Sign checkpoints with a new key from now on. Restart Verbatim afterwards."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            old = log_keys()
            new = LogKeys(Signer.make(old.origin), old.verifiers)
            log = TransparencyLog(bootstrap.database_url(), new, bootstrap.SystemClock().now)
            with plain_database_errors():
                signed = log.checkpoint(also=[old.signer])
            if not settings.AUDIT.signing_key:
                replace_key_file(settings.DATA_DIR / KEY_FILE, new)
        except (KeyProblem, LogIncomplete, LogContradicted) as error:
            raise CommandError(str(error)) from error
        if signed is not None:
            self.stdout.write(
                f"A checkpoint of {signed.size:,} events is signed by the old key and by the new one."
            )
        self.stdout.write(f"Hand out the new verifier key:\n{new.signer.verifier}")
        if settings.AUDIT.signing_key:
            self.stdout.write(
                f"Put these into the settings of every process:\nAUDIT_SIGNING_KEY={new.signer.secret_text()}\n"
                f"AUDIT_RETIRED_KEYS={','.join(str(verifier) for verifier in new.retired)}"
            )
        self.stdout.write(
            "Then restart Verbatim: processes that run keep signing with the old key until they end."
        )
