"""Erases a conversation for good: its events keep their places and digests, and what was said in them is gone.

For whoever runs the installation. Who does it, and why, stays on record for ever, and so does that there was something.
"""

from __future__ import annotations

import getpass
import sys
import time
from argparse import ArgumentParser
from typing import Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.backends.utils import CursorWrapper

from backend import bootstrap
from backend.accounts.models import User
from backend.commands.meter import Meter
from backend.commands.plain_errors import plain_database_errors
from backend.domain.commands import DeleteConversation, EraseConversations
from backend.domain.conversation import Conversation
from backend.domain.errors import CallsUnderWay, ConversationIsErased, DomainError
from backend.domain.events import ConversationErased
from backend.domain.values import check_erasure
from backend.event_store.erasure import forks_of
from projections.position_table import STOPPED
from projections.registry import read_model_names
from projections.tracking import statuses, worker_is_active

_LOOK_EVERY_S: Final = 0.2
_HELD_TEXT: Final = ("events", "append_receipt", "call_chunk", "conversation_prefix")
"""Tables besides the read tables from which erasing removes something."""


class Command(BaseCommand):
    help = (
        "Erase a conversation: every payload of its events and of its model calls' events is replaced by its digest. "
        "It cannot be undone. The transparency log still holds afterwards."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("conversation", type=UUID, metavar="ID")
        parser.add_argument("--reason", required=True, help="why; kept for ever, so name nobody in it")
        parser.add_argument("--by", help="who erases (default: the account that runs this command)")
        parser.add_argument(
            "--with-forks", action="store_true", help="erase the conversations that go on from it as well"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument(
            "--wait",
            type=float,
            default=60.0,
            metavar="SECONDS",
            help="how long to wait for calls to end and for the read tables to follow (default: 60)",
        )
        parser.add_argument(
            "--rewrite-tables",
            action="store_true",
            help="then write the tables anew (VACUUM FULL), so that the database's files do not hold the old rows "
            "either; nothing can be read or written meanwhile",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        conversation_id: UUID = options["conversation"]
        self._until = time.monotonic() + options["wait"]
        by = options["by"] or f"operator {getpass.getuser()}"
        try:
            check_erasure("by", by)
            check_erasure("reason", options["reason"])
            _check_rights()
            with plain_database_errors("Run the command again: it goes on where it was."):
                try:
                    position = self._erase(conversation_id, by, options)
                except ConversationIsErased as erased:
                    self.stdout.write(str(erased))
                    position = _position_of_erasure(conversation_id)
                self._follow(position)
                self._tidy(rewrite=options["rewrite_tables"])
        except DomainError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            "Nothing of it is left in events, read tables and chunks. Backups made before still hold it."
        )

    def _erase(self, conversation_id: UUID, by: str, options: dict[str, Any]) -> int:
        """Erase the conversation, forks first; return the position of what says so."""
        conversations = [bootstrap.conversations().load(conversation_id).conversation]
        forks = _forks_below(conversation_id)
        if forks and not options["with_forks"]:
            listed = "\n".join(f"  {fork}" for fork in forks)
            raise CommandError(
                f"Other conversations go on from {conversation_id} and show its messages:\n{listed}\n"
                "Add --with-forks to erase them too, or leave it as it is."
            )
        conversations += [bootstrap.conversations().load(fork).conversation for fork in forks]
        for conversation in conversations:
            self.stdout.write(_line(conversation))
        if not options["yes"]:
            self._ask(len(conversations))
        for conversation in conversations:
            # First out of everybody's way: what is still being written is told to stop, and no replay goes on.
            delete = DeleteConversation(conversation.owner_id, conversation.id)
            bootstrap.run_command(delete, actor=by)
        ids = tuple(conversation.id for conversation in reversed(conversations))
        answer = self._when_calls_have_ended(EraseConversations(ids, by=by, reason=options["reason"]), by)
        streams = answer["streams"]
        self.stdout.write(f"Erased: {len(ids)} conversations, {streams - len(ids)} model calls.")
        return int(answer["position"])

    def _ask(self, count: int) -> None:
        if not sys.stdin.isatty():
            raise CommandError("Nobody can be asked here. Add --yes to erase without a question.")
        self.stdout.write("This cannot be undone. Type erase to go on: ", ending="")
        self.stdout.flush()
        if input().strip() != "erase":
            raise CommandError(f"Nothing was erased; {count} conversations are as they were.")

    def _when_calls_have_ended(self, command: EraseConversations, by: str) -> dict[str, Any]:
        told = False
        while True:
            try:
                return dict(bootstrap.run_command(command, actor=by).body)
            except CallsUnderWay as refusal:
                if time.monotonic() > self._until:
                    raise
                if not told:
                    self.stderr.write(f"Waiting. {refusal}")
                    told = True
                time.sleep(_LOOK_EVERY_S)

    def _follow(self, position: int) -> None:
        """Wait until every read model has taken the erasure in. Raises CommandError where one does not."""
        meter = Meter("read tables", sys.stderr, unit="up to date")
        names = read_model_names()
        try:
            while True:
                found = {status.name: status for status in statuses()}
                behind = [name for name in names if name not in found or found[name].position < position]
                meter.show(1 - len(behind) / len(names), len(names) - len(behind))
                if not behind:
                    return
                stopped = [name for name in behind if name in found and found[name].state == STOPPED]
                if stopped or time.monotonic() > self._until:
                    raise CommandError(_not_followed(behind, stopped))
                time.sleep(_LOOK_EVERY_S)
        finally:
            meter.close()

    def _tidy(self, *, rewrite: bool) -> None:
        """Let the database forget samples of what was in the tables; rewrite: and the old rows in its files."""
        meter = Meter("rewriting" if rewrite else "tidying", sys.stderr, unit="tables")
        with connection.cursor() as cursor:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1")
            tables = [name for (name,) in cursor.fetchall() if name in _HELD_TEXT or name.startswith("read_")]
            try:
                for number, table in enumerate(tables, start=1):
                    quoted = connection.ops.quote_name(table)
                    cursor.execute(f"VACUUM (FULL, ANALYZE) {quoted}" if rewrite else f"ANALYZE {quoted}")
                    _forget_samples_if_empty(cursor, table)
                    meter.show(number / len(tables), number)
            finally:
                meter.close()
            if rewrite:
                cursor.execute("CHECKPOINT")


def _forget_samples_if_empty(cursor: CursorWrapper, table: str) -> None:
    """ANALYZE leaves the samples of a table that has become empty; naming a column's type anew drops them."""
    quoted = connection.ops.quote_name(table)
    cursor.execute(f"SELECT NOT EXISTS (SELECT 1 FROM {quoted})")
    if not cursor.fetchone()[0]:
        return
    cursor.execute(
        "SELECT pg_attribute.attname, format_type(atttypid, atttypmod) FROM pg_attribute JOIN pg_stats"
        " ON tablename = %s AND schemaname = current_schema() AND pg_stats.attname = pg_attribute.attname"
        " WHERE attrelid = %s::regclass",
        [table, quoted],
    )
    for column, kind in cursor.fetchall():
        cursor.execute(f"ALTER TABLE {quoted} ALTER COLUMN {connection.ops.quote_name(column)} TYPE {kind}")


def _check_rights() -> None:
    """Raises CommandError before anything is done, where the database would refuse the last step."""
    with plain_database_errors(), connection.cursor() as cursor:
        cursor.execute("SELECT current_user, has_table_privilege('events', 'UPDATE')")
        role, may_erase = cursor.fetchone()
    if not may_erase:
        raise CommandError(
            f"The database role {role} may add events and not erase them. Set DATABASE_OWNER_URL to the role that owns "
            "the tables, the one that `migrate` uses. Nothing was changed."
        )


def _line(conversation: Conversation) -> str:
    owner = User.objects.filter(pk=conversation.owner_id).first()
    whose = "an account that was removed" if owner is None else owner.email
    return (
        f"{conversation.id}  of {whose}: “{conversation.title}”, {len(conversation.nodes)} messages, "
        f"{conversation.version} events"
    )


def _forks_below(conversation_id: UUID) -> list[UUID]:
    """All that goes on from it, directly or by way of others; what goes on from a fork comes after the fork."""
    found: list[UUID] = []
    with bootstrap.event_store().connection() as store, store.cursor() as cursor:
        waiting = [conversation_id]
        while waiting:
            source = waiting.pop(0)
            forks = sorted(forks_of(cursor, source, besides=found))
            found += forks
            waiting += forks
    return found


def _position_of_erasure(conversation_id: UUID) -> int:
    """Where it is on record that the conversation was erased."""
    version = 0
    store = bootstrap.event_store()
    while rows := store.read_stream(conversation_id, version, 500):
        for row in rows:
            if row.topic == ConversationErased.TOPIC:
                return row.position
        version = rows[-1].version
    return store.end()


def _not_followed(behind: list[str], stopped: list[str]) -> str:
    what = f"The events are erased, but these read tables have not followed yet: {', '.join(behind)}."
    if stopped:
        return f"{what} Stopped: {', '.join(stopped)}; `manage.py projection_status` says why."
    if not worker_is_active():
        return (
            f"{what} No projection worker is active: start `manage.py run_projections`, then run this again."
        )
    return f"{what} Run this again in a while: it only looks whether they have."
