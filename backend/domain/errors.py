"""Every refusal of the domain, one class each, with a stable code.

The text of an error says what was refused, which thing it was about, what was expected and found,
and what to do next. `fields` names the input field that caused it, where one did.
Which HTTP status a kind gets is the API's business.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID


class DomainError(Exception):
    """A command was refused; nothing was stored."""

    code = "refused"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.fields: dict[str, list[str]] = {field: [message]} if field else {}


class NotFound(DomainError):
    """The thing named does not exist, or is not the asker's: the two are never told apart."""

    code = "not_found"


class UnknownConversation(NotFound):
    code = "conversation_not_found"

    def __init__(self, conversation_id: UUID) -> None:
        super().__init__(
            f"There is no conversation {conversation_id}. Check the address or open it from the list."
        )


class ConversationIsErased(UnknownConversation):
    """owner_id: whose it was, where that is known; for everybody else it is as unknown as one that never was."""

    code = "conversation_erased"

    def __init__(self, conversation_id: UUID, owner_id: UUID | None = None, *, told: str = "") -> None:
        DomainError.__init__(
            self,
            f"Conversation {conversation_id} was erased{told}. What was said in it is gone and cannot be brought back; "
            "that it was there stays on record.",
        )
        self.owner_id = owner_id


class UnknownModelCall(NotFound):
    code = "model_call_not_found"

    def __init__(self, call_id: UUID) -> None:
        super().__init__(f"There is no model call {call_id}. Check the address or open it from its reply.")


class ModelCallIsErased(UnknownModelCall):
    code = "model_call_erased"

    def __init__(self, call_id: UUID) -> None:
        DomainError.__init__(
            self,
            f"What was sent and answered in model call {call_id} was erased together with its conversation. "
            "The list of calls still says when it was made and how it ended.",
        )


class NotRecordedYet(NotFound):
    """The thing exists, but what is asked about it has not happened, or never will."""

    code = "not_recorded"


class UnknownMessage(NotFound):
    code = "message_not_found"

    def __init__(self, message_id: UUID, conversation_id: UUID, *, field: str | None = None) -> None:
        super().__init__(
            f"Conversation {conversation_id} has no message {message_id}. Reload the conversation and choose one of its messages.",
            field=field,
        )


class UnknownParent(DomainError):
    code = "parent_not_found"

    def __init__(self, parent_id: UUID, conversation_id: UUID) -> None:
        super().__init__(
            f"Conversation {conversation_id} has no message {parent_id} to answer. "
            "Reload the conversation and send again, or leave parent_id out to answer the latest message.",
            field="parent_id",
        )


class InvalidInput(DomainError):
    """A value does not fit; `fields` says which."""

    code = "invalid_input"


class EmptyContent(InvalidInput):
    code = "content_empty"

    def __init__(self) -> None:
        super().__init__(
            "The message is empty. Write something other than spaces and send again.", field="content"
        )


class TextTooLong(InvalidInput):
    code = "text_too_long"

    def __init__(self, field: str, *, limit_bytes: int, found_bytes: int) -> None:
        way_out = "Shorten it or split it over several messages." if field == "content" else "Shorten it."
        super().__init__(
            f"This text has {found_bytes:,} bytes in UTF-8; the limit is {limit_bytes:,} bytes. {way_out}",
            field=field,
        )


class UnstorableText(InvalidInput):
    code = "text_invalid"

    def __init__(self, field: str, *, found: str) -> None:
        super().__init__(
            f"This text contains {found}, which cannot be stored. Remove it and send again.", field=field
        )


class InvalidParameter(InvalidInput):
    code = "parameter_invalid"

    def __init__(self, name: str, *, expected: str, found: object) -> None:
        try:
            shown = repr(found)
        except ValueError:
            # Python refuses to write out whole numbers of more than 4,300 digits.
            shown = "a number of thousands of digits"
        if len(shown) > 80:
            shown = f"{shown[:80]}…"
        super().__init__(
            f"{name} must be {expected}; found {shown}. Change it and send again.", field=f"params.{name}"
        )


class WrongMessageKind(InvalidInput):
    code = "wrong_message_kind"

    def __init__(self, message_id: UUID, *, expected: str, found: str) -> None:
        super().__init__(
            f"Message {message_id} is a {found}; this needs a {expected}. Choose another message.",
            field="message_id",
        )


class NothingToContinue(InvalidInput):
    code = "nothing_to_continue"

    def __init__(self, reply_id: UUID, *, why: str) -> None:
        super().__init__(f"Reply {reply_id} {why}", field="message_id")


class NothingToReplay(InvalidInput):
    code = "nothing_to_replay"

    def __init__(self, conversation_id: UUID) -> None:
        super().__init__(
            f"This branch of conversation {conversation_id} has no user messages to send again. "
            "Choose a branch with at least one message.",
            field="leaf_id",
        )


class ReplayChangesNothing(InvalidInput):
    code = "replay_changes_nothing"

    def __init__(self) -> None:
        super().__init__(
            "A replay needs something that differs. Give another model, other params or another system_prompt.",
            field="model",
        )


class UnknownModel(InvalidInput):
    code = "model_unknown"

    def __init__(self, model: str, known: Collection[str]) -> None:
        listed = ", ".join(sorted(known)[:20])
        super().__init__(
            f"The model {model!r} is not among those the model runner offers ({listed}). "
            "Choose one of them, or start that model and list the models again.",
            field="model",
        )


class PromptTooLong(InvalidInput):
    code = "prompt_too_long"

    def __init__(self, *, needed_tokens: int, context_tokens: int) -> None:
        super().__init__(
            f"This message and the system prompt need about {needed_tokens:,} tokens, also without any earlier "
            f"message; the model takes {context_tokens:,}, reply included. "
            "Shorten the message or the system prompt, lower max_tokens, or choose a model with a larger context.",
            field="content",
        )


class UnknownReplay(NotFound):
    code = "replay_not_found"

    def __init__(self, replay_id: UUID) -> None:
        super().__init__(
            f"There is no replay {replay_id}. Check the address or open it from its conversation."
        )


class Conflict(DomainError):
    """The state of things does not allow it now."""

    code = "conflict"


class VersionConflict(Conflict):
    code = "version_conflict"

    def __init__(self, conversation_id: UUID, *, expected: int, found: int) -> None:
        super().__init__(
            f"Conversation {conversation_id} is at version {found}, the command expected {expected}. "
            "Reload it and send again."
        )


class ReplyPending(Conflict):
    code = "reply_pending"

    def __init__(self, reply_id: UUID) -> None:
        super().__init__(
            f"Reply {reply_id} is still being written. Wait until it has ended, or stop it, then send again."
        )


class LastVisibleBranch(Conflict):
    code = "last_visible_branch"

    def __init__(self, conversation_id: UUID) -> None:
        super().__init__(
            f"Conversation {conversation_id} would have no visible branch left. "
            "Show another branch first, or delete the conversation."
        )


class ReplayNotStopped(Conflict):
    code = "replay_not_stopped"

    def __init__(self, replay_id: UUID, state: str) -> None:
        super().__init__(
            f"Replay {replay_id} is {state}; only one that stopped at a failed turn can be resumed."
        )


class ConversationIsDeleted(Conflict):
    code = "conversation_deleted"

    def __init__(self, conversation_id: UUID) -> None:
        super().__init__(f"Conversation {conversation_id} is deleted. Restore it first.")


class CallsUnderWay(Conflict):
    code = "calls_under_way"

    def __init__(self, conversation_id: UUID, call_ids: Collection[UUID]) -> None:
        super().__init__(
            f"{len(call_ids)} model calls of conversation {conversation_id} have not ended yet, {min(map(str, call_ids))} "
            "for one. Start a model-call worker if none runs, wait until they have ended, and try again."
        )


class ForksRemain(Conflict):
    """fork_ids: the conversations that go on from what was to be erased."""

    code = "forks_remain"

    def __init__(self, fork_ids: Collection[UUID]) -> None:
        listed = ", ".join(sorted(map(str, fork_ids)))
        super().__init__(
            f"Other conversations go on from here and hold its messages too: {listed}. Erase them as well (--with-forks)."
        )
        self.fork_ids = frozenset(fork_ids)


class AttemptRefused(Conflict):
    """A model call does not accept this attempt or this end of one; the loser drops its result."""

    code = "attempt_refused"


class IdempotencyKeyReused(DomainError):
    code = "idempotency_key_reused"

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The Idempotency-Key {key!r} was used before for another request. Use a new key for a new request."
        )


class TooManyConflicts(Conflict):
    code = "too_busy"

    def __init__(self, tries: int) -> None:
        super().__init__(
            f"The conversation changed {tries} times while this was being stored. Send it again."
        )
