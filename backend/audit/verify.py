"""Rebuild recorded prompts and compare them with the digests that were recorded before they were sent.

Only digests are recorded, so a difference is located by what can still be proven: the calls before it
on the same branch. Everything up to their prompts is as it was; the difference lies behind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from backend.domain.events import ModelCallRequested
from backend.prompting.build import CannotRebuildPrompt
from backend.prompting.client_body import body_of_client
from backend.prompting.prefixes import BranchPrompts

IDENTICAL: Final = "identical"
MISMATCH: Final = "mismatch"
MISSING: Final = "missing"
OPAQUE: Final = "opaque"
ERASED: Final = "erased"


_NOT_TO_BE_SENT: Final = (ValueError, RecursionError)
"""What canonical JSON is not made of. No prompt of ours held it, but events that somebody changed may."""


@dataclass(frozen=True)
class Finding:
    """What came of one call. verdict: identical, mismatch, missing, opaque (nothing says what was sent), or erased.

    detail: for people, empty for identical ones.
    """

    call_id: UUID
    verdict: str
    recorded_sha256: str
    rebuilt_sha256: str
    detail: str = ""

    @property
    def holds(self) -> bool:
        return self.verdict in {IDENTICAL, OPAQUE, ERASED}


def verify_calls(
    conversation_id: UUID, prompts: BranchPrompts, calls: Iterable[ModelCallRequested]
) -> list[Finding]:
    """Verify calls of one conversation against its messages, in the order of their versions."""
    proven: list[ModelCallRequested] = []
    findings: list[Finding] = []
    for call in sorted(calls, key=lambda call: call.prompt_request.version):
        if call.prompt_request.raw_body is not None:
            # A client wrote it, and no message of ours says how: its own copy does.
            findings.append(verify_alone(call))
            continue
        finding = _verify(conversation_id, prompts, call, proven)
        if finding.verdict == IDENTICAL:
            proven.append(call)
        findings.append(finding)
    return findings


def verify_alone(call: ModelCallRequested) -> Finding:
    """A call that no conversation explains: what was sent is made of its own copy of the client's bytes, if it has one."""
    raw_body = call.prompt_request.raw_body
    if raw_body is None:
        if call.conversation_id is None:
            detail = "It belongs to no conversation, and the record does not hold what was sent."
            return Finding(call.originator_id, OPAQUE, call.body_sha256, "", detail)
        detail = (
            f"No reply of conversation {call.conversation_id} names it. Events of that stream are missing."
        )
        return Finding(call.originator_id, MISMATCH, call.body_sha256, "", detail)
    try:
        body = body_of_client(call.prompt_request)
    except CannotRebuildPrompt as error:
        return Finding(call.originator_id, MISMATCH, call.body_sha256, "", str(error))
    rebuilt = hashlib.sha256(body).hexdigest()
    if (rebuilt, len(body)) == (call.body_sha256, call.body_length):
        return Finding(call.originator_id, IDENTICAL, call.body_sha256, rebuilt)
    detail = "The stored copy of the client's request is not the one whose digest was recorded."
    return Finding(call.originator_id, MISMATCH, call.body_sha256, rebuilt, detail)


def erased(call_id: UUID, erasures: Collection[UUID]) -> Finding:
    """A call whose payloads are gone. erasures: the calls of which an event says that they were erased."""
    if call_id in erasures:
        return Finding(call_id, ERASED, "", "")
    detail = "Its payload is gone, but no ConversationErased says that it was erased."
    return Finding(call_id, MISMATCH, "", "", detail)


def missing(call_id: UUID, conversation_id: UUID, version: int) -> Finding:
    """A reply names a call of which there is no record."""
    detail = (
        f"Version {version} of conversation {conversation_id} asks for it, but its stream does not begin with "
        f"{ModelCallRequested.TOPIC}. Its events are missing."
    )
    return Finding(call_id, MISSING, "", "", detail)


def _verify(
    conversation_id: UUID,
    prompts: BranchPrompts,
    call: ModelCallRequested,
    proven: Sequence[ModelCallRequested],
) -> Finding:
    try:
        rebuilt, length = prompts.digest(call.prompt_request)
    except (CannotRebuildPrompt, *_NOT_TO_BE_SENT) as error:
        detail = f"Stream {conversation_id} does not give it back. {error}"
        return Finding(call.originator_id, MISMATCH, call.body_sha256, "", detail)
    if (rebuilt, length) == (call.body_sha256, call.body_length):
        return Finding(call.originator_id, IDENTICAL, call.body_sha256, rebuilt)
    detail = _where(conversation_id, prompts, call, length, proven)
    return Finding(call.originator_id, MISMATCH, call.body_sha256, rebuilt, detail)


def _where(
    conversation_id: UUID,
    prompts: BranchPrompts,
    call: ModelCallRequested,
    length: int,
    proven: Sequence[ModelCallRequested],
) -> str:
    """From which byte on the difference lies, and in which events. Never blames what is proven."""
    request = call.prompt_request
    lengths = f"recorded {call.body_length:,} bytes, rebuilt {length:,}"
    places = prompts.places(request.leaf_id)
    ids = [place.message_id for place in places]
    shared = [
        other
        for other in proven
        if other.prompt_request.leaf_id in ids and prompts.begins_alike(other.prompt_request, request)
    ]
    suspects, from_byte, proof = places, 0, ""
    if shared:
        last = max(shared, key=lambda other: ids.index(_leaf(other)))
        suspects = places[ids.index(_leaf(last)) + 1 :]
        from_byte = prompts.length_up_to(request, _leaf(last))
        proof = f" (up to there proven by call {last.originator_id})"
    causes: list[str] = []
    if not shared and request.system_prompt is None:
        causes.append(f"the system prompt at version {request.version} of stream {conversation_id}")
    own = sorted({place.version for place in suspects if place.version})
    if own:
        causes.append(f"{_events(own)} of stream {conversation_id}")
    if len(own) < len(suspects):
        causes.append("what the conversation inherits")
    # The digest is recorded in the same event, so a change of it cannot be told from one of these.
    causes.append(f"the model, the parameters and the digest in event 1 of stream {call.originator_id}")
    where = ", or in ".join(causes)
    return f"{lengths}. The first difference lies at byte {from_byte:,} or later{proof}, in {where}."


def _events(versions: Sequence[int]) -> str:
    first, last = versions[0], versions[-1]
    return f"event {first}" if first == last else f"events {first} to {last}"


def _leaf(call: ModelCallRequested) -> UUID:
    leaf_id = call.prompt_request.leaf_id
    assert leaf_id is not None
    return leaf_id
