"""Everything a person or another part of the system can ask for. Complete: nothing is looked up later.

Ids of things to be made are chosen by the handler's Ids port, once, before the first try.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from backend.domain.conversation import SELECTED_LEAF, SelectedLeaf
from backend.domain.events import ReplyError
from backend.domain.imported import OutsideMessage
from backend.domain.model_call import AttemptResult, ModelCall
from backend.domain.values import Params


@dataclass(frozen=True)
class StartConversation:
    owner_id: UUID
    title: str | None = None
    system_prompt: str | None = None
    model: str | None = None
    params: Mapping[str, object] | None = None


@dataclass(frozen=True)
class SendUserMessage:
    """parent_id: SELECTED_LEAF to answer the selected branch, None for a new root."""

    owner_id: UUID
    conversation_id: UUID
    content: str
    parent_id: UUID | SelectedLeaf | None = SELECTED_LEAF
    model: str | None = None
    params: Mapping[str, object] | None = None
    expected_version: int | None = None
    source: str = "browser"


@dataclass(frozen=True)
class EditUserMessage:
    """message_id: the user message beside which another one is put, with a reply of its own."""

    owner_id: UUID
    conversation_id: UUID
    message_id: UUID
    content: str
    model: str | None = None
    params: Mapping[str, object] | None = None
    expected_version: int | None = None
    source: str = "browser"


@dataclass(frozen=True)
class RegenerateReply:
    """message_id: the reply to do again, or the user message to answer again.

    tighter_cut: leave out more of the earlier messages than the last call did, after an overflow.
    """

    owner_id: UUID
    conversation_id: UUID
    message_id: UUID
    model: str | None = None
    params: Mapping[str, object] | None = None
    tighter_cut: bool = False
    expected_version: int | None = None
    source: str = "browser"


@dataclass(frozen=True)
class ContinueReply:
    """message_id: a reply that ended before its end; its text goes on in a reply below it."""

    owner_id: UUID
    conversation_id: UUID
    message_id: UUID
    expected_version: int | None = None
    source: str = "browser"


@dataclass(frozen=True)
class SelectBranch:
    """leaf_id: the end of the branch; for any other message, the newest visible branch through it."""

    owner_id: UUID
    conversation_id: UUID
    leaf_id: UUID
    expected_version: int | None = None


@dataclass(frozen=True)
class HideBranch:
    """leaf_id: the end of the branch; for any other message, every branch through it."""

    owner_id: UUID
    conversation_id: UUID
    leaf_id: UUID
    expected_version: int | None = None


@dataclass(frozen=True)
class ShowBranch:
    """As HideBranch, the other way round."""

    owner_id: UUID
    conversation_id: UUID
    leaf_id: UUID
    expected_version: int | None = None


@dataclass(frozen=True)
class ForkConversation:
    """message_id: the last message that the new conversation inherits."""

    owner_id: UUID
    conversation_id: UUID
    message_id: UUID
    title: str | None = None


@dataclass(frozen=True)
class StartReplay:
    """leaf_id: the end of the branch to run again, None for the selected one. At least one of the others."""

    owner_id: UUID
    conversation_id: UUID
    leaf_id: UUID | None = None
    model: str | None = None
    params: Mapping[str, object] | None = None
    system_prompt: str | None = None
    expected_version: int | None = None


@dataclass(frozen=True)
class CancelReplay:
    owner_id: UUID
    conversation_id: UUID
    replay_id: UUID


@dataclass(frozen=True)
class ResumeReplay:
    """Ask again for the reply at which a replay stopped, and go on from there."""

    owner_id: UUID
    conversation_id: UUID
    replay_id: UUID


@dataclass(frozen=True)
class AdvanceReplay:
    """Take the step of a replay that is due now, if one is. Asked by a model-call worker; repeats do nothing."""

    conversation_id: UUID
    replay_id: UUID


@dataclass(frozen=True)
class ChangeConversation:
    """Each field that is not None is changed; the rest stays."""

    owner_id: UUID
    conversation_id: UUID
    title: str | None = None
    pinned: bool | None = None
    archived: bool | None = None
    system_prompt: str | None = None
    model: str | None = None
    params: Mapping[str, object] | None = None
    expected_version: int | None = None


@dataclass(frozen=True)
class DeleteConversation:
    owner_id: UUID
    conversation_id: UUID
    expected_version: int | None = None


@dataclass(frozen=True)
class RestoreConversation:
    owner_id: UUID
    conversation_id: UUID
    expected_version: int | None = None


@dataclass(frozen=True)
class CancelModelCall:
    owner_id: UUID
    call_id: UUID


@dataclass(frozen=True)
class StartModelCallAttempt:
    """Asked by a model-call worker that holds the claim.

    seen: the call as the worker has just read it. It is decided on first; where it has changed since, it is read again.
    """

    call_id: UUID
    runner: str
    runner_version: str | None
    worker: str
    claim: int
    seen: ModelCall | None = None


@dataclass(frozen=True)
class RecordModelCallResult:
    """How an attempt ended. For a final end of a reply's call, the reply is recorded in the same commit.

    claim: the fence of the worker that holds the call, or None where the sweep records for a dead one
    under a claim of its own. again_after_s: for an end that is not final, how soon another attempt may begin.
    """

    call_id: UUID
    result: AttemptResult
    content: str
    reasoning: str
    tool_calls: tuple[object, ...]
    reply_error: ReplyError | None
    worker: str
    claim: int
    again_after_s: float | None = None


@dataclass(frozen=True)
class JoinAt:
    """A message of a conversation up to which a client's messages are known. count: how many of them those are."""

    conversation_id: UUID
    message_id: UUID
    count: int


@dataclass(frozen=True)
class RequestOutsideCall:
    """Pass a program's request on to a runner, as part of a conversation.

    messages: the client's, without the system prompt that may begin them. joins: where they may go on, the best first;
    none that fits: a new conversation begins, archived where `archived` says so. params: for reading, as far as we know
    them; raw_body holds all that was sent. model: as the client named it, sent_model: as the runner knows it.
    worker: who carries it out, and nobody else can. at_once: its first attempt starts in the same commit.
    """

    owner_id: UUID
    call_id: UUID
    messages: tuple[OutsideMessage, ...]
    joins: tuple[JoinAt, ...]
    system_prompt: str
    model: str
    sent_model: str
    params: Params
    runner: str
    runner_version: str | None
    raw_body: str
    body_sha256: str
    body_length: int
    worker: str
    at_once: bool
    archived: bool = False
    source: str = "openai"


@dataclass(frozen=True)
class RecordAuditRead:
    """Put on record that somebody looks at another person's content, before it is shown.

    owner_id: whose content. what: one of backend.domain.audit_trail.WHAT_IS_READ. call_id: for a call;
    conversation_id alone: for a conversation as such; neither: for all that the owner has.
    """

    reader_id: UUID
    owner_id: UUID
    what: str
    conversation_id: UUID | None = None
    call_id: UUID | None = None


@dataclass(frozen=True)
class EraseConversations:
    """Asked by an operator on the server. conversation_ids: forks before what they go on from, none left out.

    by: who asks; reason: why. Both are kept for ever.
    """

    conversation_ids: tuple[UUID, ...]
    by: str
    reason: str


Command = (
    StartConversation
    | SendUserMessage
    | EditUserMessage
    | RegenerateReply
    | ContinueReply
    | SelectBranch
    | HideBranch
    | ShowBranch
    | ForkConversation
    | StartReplay
    | CancelReplay
    | ResumeReplay
    | AdvanceReplay
    | ChangeConversation
    | DeleteConversation
    | RestoreConversation
    | CancelModelCall
    | StartModelCallAttempt
    | RecordModelCallResult
    | RequestOutsideCall
    | RecordAuditRead
    | EraseConversations
)
