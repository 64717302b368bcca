"""Rebuild a model call's exact request body from a conversation's events.

What a builder version does never changes: an old call is rebuilt by the version it names. A new idea
is a new version beside the old ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypedDict
from uuid import UUID

from backend.domain import events as e
from backend.domain.errors import DomainError
from backend.domain.imported import ImportedContent, text_of_imported
from backend.domain.prompt_request import PromptRequest
from backend.domain.values import INTEGER_PARAMS, ParamValue
from backend.prompting.canonical import canonical_bytes, sha256_hex

TITLE_INSTRUCTION: Final = "You write titles. Answer with a title of two to six words in the language of the conversation, and nothing else."
TITLE_EXCERPT: Final = 1000
"""How many characters of each text the builder title/1 shows; a title needs no more, and reading takes time."""


class PromptMessage(TypedDict):
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class StreamSlice:
    """One conversation's events in ascending versions from 1, without gaps."""

    conversation_id: UUID
    events: Sequence[e.VerbatimEvent]


@dataclass(frozen=True)
class Prompt:
    """messages: as the body holds them. body: the exact bytes. body_sha256: their digest in hex."""

    messages: tuple[PromptMessage, ...]
    body: bytes
    body_sha256: str


def as_sent(role: str, content: ImportedContent) -> tuple[Literal["user", "assistant"], str]:
    """How the builders send a message that came from elsewhere: strict templates know these two roles only.

    Instructions in the middle of a conversation, and what tools gave back, become words of the user that say so.
    """
    text = text_of_imported(content)
    match role:
        case "assistant":
            return "assistant", text
        case "system":
            return "user", f"Instruction: {text}"
        case "tool":
            return "user", f"Result of a tool: {text}"
        case _:
            return "user", text


class CannotRebuildPrompt(DomainError):
    """The recorded request does not fit the history it is read with."""

    code = "prompt_not_rebuildable"


def build_prompt(history: Sequence[StreamSlice], request: PromptRequest) -> Prompt:
    """Rebuild the exact request body sent to the model for one call.

    history: the fork chain, root first; in each slice ascending versions, no gaps; each slice up to its
    fork's version and the last at least up to request.version (what lies beyond is not looked at).
    Same history and request, same bytes (pinned in tests/contract/golden/prompts/).
    Raises CannotRebuildPrompt when request.leaf_id is not in the tree, or for an unknown builder.
    Source: OpenAI chat completions, fields `messages`, `model`, `stream`, `stream_options`.
    """
    check_builder(request)
    return _BUILDERS[(request.builder, request.serializer)](history, request)


def check_builder(request: PromptRequest) -> None:
    """Raises CannotRebuildPrompt for a builder or serializer that this release does not have."""
    if (request.builder, request.serializer) not in _BUILDERS:
        known = ", ".join(f"{name} with {serializer}" for name, serializer in _BUILDERS)
        raise CannotRebuildPrompt(
            f"There is no prompt builder {request.builder} with {request.serializer}; known: {known}. "
            "A newer release of Verbatim may have written this call; rebuild it with that release."
        )


@dataclass(frozen=True)
class _Message:
    message_id: UUID
    parent_id: UUID | None
    role: Literal["user", "assistant"]
    content: str
    continues: UUID | None = None


def _build_chat_1(history: Sequence[StreamSlice], request: PromptRequest) -> Prompt:
    """Builder chat/1: explicit system message; same-role neighbours joined; empty replies left out."""
    messages, system_prompt = _replay(history, request.version)
    if request.system_prompt is not None:
        system_prompt = request.system_prompt
    sent: list[PromptMessage] = [{"role": "system", "content": system_prompt}]
    for message in _kept(_path(messages, request.leaf_id), request):
        if message.role == "assistant" and not message.content:
            continue
        last = sent[-1]
        if last["role"] != message.role:
            sent.append({"role": message.role, "content": message.content})
        elif message.continues is not None:
            last["content"] += message.content
        else:
            last["content"] += "\n\n" + message.content
    body = canonical_bytes(request_fields(request, messages=sent))
    return Prompt(messages=tuple(sent), body=body, body_sha256=sha256_hex(body))


def _build_title_1(history: Sequence[StreamSlice], request: PromptRequest) -> Prompt:
    """Builder title/1: a wish for a title, with the beginnings of the branch's first message and of its last."""
    messages, _ = _replay(history, request.version)
    return title_prompt(request, [message.content for message in _path(messages, request.leaf_id)])


def title_prompt(request: PromptRequest, texts: Sequence[str]) -> Prompt:
    """What builder title/1 makes of a branch. texts: of its messages, the first message first."""
    if not texts:
        raise CannotRebuildPrompt("The recorded request for a title names no message. Check the store.")
    question, answer = texts[0], texts[-1]
    wish = (
        "Write a title for this conversation.\n\n"
        f"User: {question[:TITLE_EXCERPT]}\n\nAssistant: {answer[:TITLE_EXCERPT]}"
    )
    sent: tuple[PromptMessage, ...] = (
        {"role": "system", "content": TITLE_INSTRUCTION},
        {"role": "user", "content": wish},
    )
    body = canonical_bytes(request_fields(request, messages=sent))
    return Prompt(messages=sent, body=body, body_sha256=sha256_hex(body))


def request_fields(request: PromptRequest, *, messages: Sequence[PromptMessage]) -> dict[str, Any]:
    """The fields of the request body, as all builders send them."""
    return {
        **{name: _wire_value(name, value) for name, value in request.params.items()},
        **({"return_progress": True} if request.progress else {}),
        "messages": messages,
        "model": request.model,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def _replay(history: Sequence[StreamSlice], version: int) -> tuple[dict[UUID, _Message], str]:
    """All messages by id, and the system prompt in force, as of `version` of the last slice."""
    messages: dict[UUID, _Message] = {}
    continues: dict[UUID, tuple[UUID, UUID | None]] = {}
    system_prompt = ""
    for place, stream_slice in enumerate(history, start=1):
        is_last = place == len(history)
        for event in stream_slice.events:
            if is_last and event.originator_version > version:
                break
            match event:
                case e.SystemPromptChanged():
                    system_prompt = event.text
                case e.UserMessageSent():
                    messages[event.message_id] = _Message(
                        event.message_id, event.parent_id, "user", event.content
                    )
                case e.ReplyRequested():
                    continues[event.reply_id] = (event.parent_id, event.continues)
                    messages[event.reply_id] = _Message(
                        event.reply_id, event.parent_id, "assistant", "", event.continues
                    )
                case e.ReplyRecorded():
                    parent_id, continued = continues[event.reply_id]
                    messages[event.reply_id] = _Message(
                        event.reply_id, parent_id, "assistant", event.content, continued
                    )
                case e.MessageImported():
                    role, text = as_sent(event.role, event.content)
                    messages[event.message_id] = _Message(event.message_id, event.parent_id, role, text)
                case _:
                    pass
    return messages, system_prompt


def _path(messages: Mapping[UUID, _Message], leaf_id: UUID | None) -> list[_Message]:
    """The messages from the root to the leaf."""
    path: list[_Message] = []
    next_id = leaf_id
    while next_id is not None:
        message = messages.get(next_id)
        if message is None:
            raise CannotRebuildPrompt(
                f"Message {next_id} is not in the conversation's history at the recorded version. "
                "The events may be incomplete; check the store."
            )
        path.append(message)
        if len(path) > len(messages):
            raise in_a_circle(leaf_id)
        next_id = message.parent_id
    path.reverse()
    return path


def in_a_circle(leaf_id: UUID | None) -> CannotRebuildPrompt:
    """Never recorded by us: somebody has changed the store, and walking up would not end."""
    return CannotRebuildPrompt(
        f"The messages above {leaf_id} hang below each other in a circle. Events were changed; check the store."
    )


def _kept(path: list[_Message], request: PromptRequest) -> list[_Message]:
    if request.trimming is None:
        return path
    for place, message in enumerate(path):
        if message.message_id == request.trimming.first_kept_message_id:
            return path[place:]
    raise CannotRebuildPrompt(
        f"Message {request.trimming.first_kept_message_id}, the first one kept, is not on the branch that was sent."
    )


def _wire_value(name: str, value: ParamValue) -> Any:
    """A stored parameter as it stands in the request: decimal strings become JSON numbers."""
    if isinstance(value, list):
        return value
    try:
        return int(value) if name in INTEGER_PARAMS else float(value)
    except (TypeError, ValueError):
        raise CannotRebuildPrompt(
            f"The parameter {name} is recorded as {repr(value)[:60]}, which is no number. Events were changed; check the store."
        ) from None


_BUILDERS: dict[tuple[str, str], Callable[[Sequence[StreamSlice], PromptRequest], Prompt]] = {
    ("chat/1", "jcs-rfc8785/1"): _build_chat_1,
    ("title/1", "jcs-rfc8785/1"): _build_title_1,
}
