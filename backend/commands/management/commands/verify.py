"""Proves what the record says: prompts against their digests, and the events against the transparency log."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from backend import bootstrap
from backend.audit.verify import (
    ERASED,
    IDENTICAL,
    MISMATCH,
    MISSING,
    OPAQUE,
    Finding,
    erased,
    missing,
    verify_alone,
    verify_calls,
)
from backend.commands.meter import Meter
from backend.commands.plain_errors import plain_database_errors
from backend.commands.printable import printable
from backend.commands.verify_coverage import verify_coverage
from backend.commands.verify_log import add_arguments as add_log_arguments
from backend.commands.verify_log import verify_log
from backend.domain.errors import ConversationIsErased, UnknownConversation, UnknownModelCall
from backend.domain.events import ErasedEvent
from backend.event_store.bulk import BulkReader
from backend.event_store.codec import UnreadableEvent
from backend.prompting.build import CannotRebuildPrompt

_UNREADABLE: Final = (UnreadableEvent, UnknownConversation, ConversationIsErased, CannotRebuildPrompt)
"""Why a conversation cannot be looked at as a whole."""


class Command(BaseCommand):
    help = (
        "prompts: rebuild recorded prompts and compare each with the digest that was recorded before it was sent. "
        "coverage: look whether everything that began has its one end. "
        "log: compare every event with the transparency log, and that with its signed checkpoints. "
        "Exit status 0 only if all of it holds."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["prompts", "coverage", "log"])
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--all", action="store_true", help="prompts: every call that was ever recorded")
        which.add_argument(
            "--conversation", type=UUID, metavar="ID", help="prompts: the calls of one conversation"
        )
        which.add_argument("--call", type=UUID, metavar="ID", help="prompts: one call")
        add_log_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "coverage":
            if not verify_coverage(self.stdout, sys.stderr):
                sys.exit(1)
            return
        if options["what"] == "log":
            if not verify_log(options, self.stdout, sys.stderr):
                sys.exit(1)
            return
        if not (options["all"] or options["conversation"] or options["call"]):
            raise CommandError("Which prompts? Add --all, --conversation ID or --call ID.")
        self._verify_prompts(options)

    def _verify_prompts(self, options: dict[str, Any]) -> None:
        self._unreadable: list[str] = []
        counts: Counter[str] = Counter()
        problems = 0
        with plain_database_errors(), closing(BulkReader(bootstrap.database_url())) as reader:
            total = reader.count_calls() if options["all"] else 0
            meter = Meter("prompts", sys.stderr, unit="calls")
            try:
                self._erasures = reader.erasures()
                self._erased_calls = {call for calls in self._erasures.values() for call in calls}
                for findings in self._findings(reader, options):
                    for finding in findings:
                        counts[finding.verdict] += 1
                        if not finding.holds:
                            problems += 1
                            meter.interrupt()
                            self.stdout.write(printable(_line(finding)))
                    if total:
                        meter.show(min(1.0, counts.total() / total), counts.total())
            except (*_UNREADABLE, UnknownModelCall) as error:
                raise CommandError(str(error)) from error
            finally:
                meter.close()
        unreadable = len(self._unreadable)
        for text in self._unreadable:
            self.stdout.write(printable(f"unreadable: {text}"))
        self.stdout.write(_summary(counts, unreadable, meter.seconds))
        if problems or unreadable:
            sys.exit(1)

    def _findings(self, reader: BulkReader, options: dict[str, Any]) -> Iterator[list[Finding]]:
        if options["conversation"] is not None:
            findings, _ = self._of_conversation(reader, options["conversation"])
            yield findings
        elif options["call"] is not None:
            yield self._of_call(reader, options["call"])
        else:
            yield from self._of_all(reader)

    def _of_all(self, reader: BulkReader) -> Iterator[list[Finding]]:
        reached: set[UUID] = set()
        not_read: set[UUID] = set()
        for conversation_id in reader.conversation_ids():
            try:
                findings, recorded = self._of_conversation(reader, conversation_id)
            except _UNREADABLE as error:
                self._unreadable.append(f"conversation {conversation_id}: {error}")
                not_read.add(conversation_id)
                continue
            reached |= recorded
            yield findings
        # Calls that no conversation names: of outside programs, or of conversations with events missing.
        if reader.count_calls() > len(reached):
            for call_id, call in reader.all_calls():
                if call_id in reached:
                    continue
                if isinstance(call, ErasedEvent):
                    yield [erased(call_id, self._erased_calls)]
                elif isinstance(call, UnreadableEvent):
                    self._unreadable.append(f"call {call_id}: {call}")
                elif call.conversation_id not in not_read:
                    yield [verify_alone(call)]

    def _of_conversation(self, reader: BulkReader, conversation_id: UUID) -> tuple[list[Finding], set[UUID]]:
        """The findings, and which calls the conversation names of which there is a record."""
        if conversation_id in self._erasures:
            calls = self._erasures[conversation_id]
            return [erased(call_id, calls) for call_id in calls], set(calls)
        found = reader.read(conversation_id)
        findings = verify_calls(conversation_id, found.prompts, found.calls)
        self._unreadable += [f"call {call_id}: {error}" for call_id, error in found.unreadable.items()]
        recorded = {call.originator_id for call in found.calls} | found.unreadable.keys()
        lost = [
            missing(call_id, conversation_id, version)
            for call_id, version in found.asked.items()
            if call_id not in recorded
        ]
        return [*findings, *lost], recorded

    def _of_call(self, reader: BulkReader, call_id: UUID) -> list[Finding]:
        call = reader.call(call_id)
        if call is None:
            raise UnknownModelCall(call_id)
        if isinstance(call, ErasedEvent):
            return [erased(call_id, self._erased_calls)]
        if call.conversation_id is None:
            return [verify_alone(call)]
        findings, _ = self._of_conversation(reader, call.conversation_id)
        return [finding for finding in findings if finding.call_id == call_id] or [verify_alone(call)]


def _line(finding: Finding) -> str:
    digests = ""
    if finding.recorded_sha256 or finding.rebuilt_sha256:
        digests = f" recorded {finding.recorded_sha256 or 'nothing'}, rebuilt {finding.rebuilt_sha256 or 'nothing'}."
    return f"{finding.verdict}: call {finding.call_id}.{digests} {finding.detail}"


def _summary(counts: Counter[str], unreadable: int, seconds: float) -> str:
    parts = [f"{counts[IDENTICAL]:,} identical"]
    parts += [
        f"{counts[verdict]:,} {name}"
        for verdict, name in (
            (MISMATCH, "different"),
            (MISSING, "missing"),
            (OPAQUE, "opaque"),
            (ERASED, "erased"),
        )
        if counts[verdict]
    ]
    if unreadable:
        parts.append(f"{unreadable:,} unreadable")
    rate = counts.total() / max(seconds, 0.001)
    return f"{counts.total():,} prompts: {', '.join(parts)}. {seconds:.1f} s, {rate:,.0f} calls/s."
