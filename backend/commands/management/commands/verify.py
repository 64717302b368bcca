"""Proves what the record says: every recorded prompt is rebuilt from the events and compared with its digest."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from backend import bootstrap
from backend.audit.verify import (
    IDENTICAL,
    MISMATCH,
    MISSING,
    OPAQUE,
    Finding,
    missing,
    verify_alone,
    verify_calls,
)
from backend.commands.meter import Meter
from backend.commands.plain_errors import plain_database_errors
from backend.domain.errors import UnknownConversation, UnknownModelCall
from backend.event_store.bulk import BulkReader
from backend.event_store.codec import UnreadableEvent


class Command(BaseCommand):
    help = (
        "prompts: rebuild recorded prompts and compare each with the digest that was recorded before it was sent. "
        "Exit status 0 only if all of them hold."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["prompts"])
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--all", action="store_true", help="every call that was ever recorded")
        which.add_argument("--conversation", type=_uuid, metavar="ID", help="the calls of one conversation")
        which.add_argument("--call", type=_uuid, metavar="ID", help="one call")

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[str] = Counter()
        problems = 0
        with plain_database_errors(), closing(BulkReader(bootstrap.database_url())) as reader:
            total = reader.count_calls() if options["all"] else 0
            meter = Meter("prompts", sys.stderr, unit="calls")
            try:
                for findings in self._findings(reader, options):
                    for finding in findings:
                        counts[finding.verdict] += 1
                        if not finding.holds:
                            problems += 1
                            meter.interrupt()
                            self.stdout.write(_line(finding))
                    if total:
                        meter.show(min(1.0, counts.total() / total), counts.total())
            except (UnknownConversation, UnknownModelCall, UnreadableEvent) as error:
                raise CommandError(str(error)) from error
            finally:
                meter.close()
        unreadable = len(self._unreadable)
        for text in self._unreadable:
            self.stdout.write(f"unreadable: {text}")
        self.stdout.write(_summary(counts, unreadable, meter.seconds))
        if problems or unreadable:
            sys.exit(1)

    def _findings(self, reader: BulkReader, options: dict[str, Any]) -> Iterator[list[Finding]]:
        self._unreadable: list[str] = []
        if options["conversation"] is not None:
            findings, _ = self._of_conversation(reader, options["conversation"])
            yield findings
        elif options["call"] is not None:
            yield self._of_call(reader, options["call"])
        else:
            yield from self._of_all(reader)

    def _of_all(self, reader: BulkReader) -> Iterator[list[Finding]]:
        reached: set[UUID] = set()
        for conversation_id in reader.conversation_ids():
            try:
                findings, asked = self._of_conversation(reader, conversation_id)
            except (UnreadableEvent, UnknownConversation) as error:
                self._unreadable.append(f"conversation {conversation_id}: {error}")
                continue
            reached |= asked
            yield findings
        # Calls that no conversation names: of outside programs, or of conversations with events missing.
        if reader.count_calls() > len(reached):
            try:
                for call in reader.all_calls():
                    if call.originator_id not in reached:
                        yield [verify_alone(call)]
            except UnreadableEvent as error:
                self._unreadable.append(str(error))

    def _of_conversation(self, reader: BulkReader, conversation_id: UUID) -> tuple[list[Finding], set[UUID]]:
        found = reader.read(conversation_id)
        findings = verify_calls(conversation_id, found.prompts, found.calls)
        recorded = {call.originator_id for call in found.calls}
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
        if call.conversation_id is None:
            return [verify_alone(call)]
        findings, _ = self._of_conversation(reader, call.conversation_id)
        return [finding for finding in findings if finding.call_id == call_id] or [verify_alone(call)]


def _uuid(text: str) -> UUID:
    return UUID(text)


def _line(finding: Finding) -> str:
    digests = ""
    if finding.recorded_sha256 or finding.rebuilt_sha256:
        digests = f" recorded {finding.recorded_sha256 or 'nothing'}, rebuilt {finding.rebuilt_sha256 or 'nothing'}."
    return f"{finding.verdict}: call {finding.call_id}.{digests} {finding.detail}"


def _summary(counts: Counter[str], unreadable: int, seconds: float) -> str:
    parts = [f"{counts[IDENTICAL]:,} identical"]
    parts += [
        f"{counts[verdict]:,} {name}"
        for verdict, name in ((MISMATCH, "different"), (MISSING, "missing"), (OPAQUE, "opaque"))
        if counts[verdict]
    ]
    if unreadable:
        parts.append(f"{unreadable:,} unreadable")
    rate = counts.total() / max(seconds, 0.001)
    return f"{counts.total():,} prompts: {', '.join(parts)}. {seconds:.1f} s, {rate:,.0f} calls/s."
