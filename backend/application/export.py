"""A whole conversation as a file: JSON for programs, Markdown for people. All branches, from the events.

Pure: events in, text out. The JSON keeps everything that the conversation's events say of its messages;
the Markdown shows the selected branch first and every other branch from where it leaves the ones before.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from backend.application.answers import conversation_body
from backend.application.erased import erased_only_for
from backend.application.ports import EventStore
from backend.domain import events as e
from backend.domain.conversation import Conversation
from backend.domain.errors import UnknownConversation
from backend.domain.imported import text_of_imported
from backend.domain.message_tree import ASSISTANT, Node
from backend.domain.outcomes import COMPLETE
from backend.prompting.build import StreamSlice

FORMAT: Final = "verbatim-conversation/1"
_WRITERS: Final = {"user": "You", "system": "Instruction", "tool": "Tool"}
# A row of backticks with another one behind it on the line is code within a line and begins no block.
_FENCE = re.compile(r"^[ ]{0,3}(?P<mark>`{3,}+(?=[^`\n]*$)|~{3,}+)(?P<rest>.*)$", re.MULTILINE)
_NOT_FOR_NAMES = re.compile(r"[^a-z0-9]+")
_DEVICES = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]")


@dataclass(frozen=True)
class Exported:
    """file_name: safe on every system, without its ending."""

    file_name: str
    conversation: Conversation
    history: Sequence[StreamSlice]
    models: Mapping[UUID, str]


def exported(store: EventStore, conversation_id: UUID, owner_id: UUID) -> Exported:
    """A conversation with all that an export tells. Raises UnknownConversation."""
    with erased_only_for(owner_id, conversation_id):
        history = store.read_history(conversation_id)
    conversation = Conversation.from_streams([part.events for part in history])
    if conversation is None or conversation.owner_id != owner_id:
        raise UnknownConversation(conversation_id)
    calls = {node.call_id for node in conversation.nodes.values() if node.call_id is not None}
    models = {call_id: store.read_call(call_id).prompt_request.model for call_id in calls}
    return Exported(_file_name(conversation), conversation, history, models)


def as_json(export: Exported) -> dict[str, Any]:
    """The conversation as JSON: settings as they changed, and every message with its place in the tree."""
    conversation = export.conversation
    texts = dict(_messages(export))
    return {
        "format": FORMAT,
        "conversation": conversation_body(conversation),
        "settings_changes": list(_settings_changes(export)),
        "hidden_leaf_ids": [
            str(leaf) for leaf in conversation.nodes.leaves() if conversation.nodes.is_hidden(leaf)
        ],
        "messages": [texts[message_id] for message_id in conversation.nodes],
    }


def as_markdown(export: Exported) -> str:
    """The conversation to read: the selected branch, then each other one from where it begins to differ."""
    conversation, texts = export.conversation, dict(_messages(export))
    parts = [f"# {_one_line(conversation.title)}\n", *_head(conversation)]
    written: set[UUID] = set()
    for number, leaf_id in enumerate(_leaves(conversation), start=1):
        path = conversation.nodes.path(leaf_id)
        new = [node for node in path if node.message_id not in written]
        if number > 1:
            parts.append(_branch_heading(conversation, number, path, new))
        for place, said in _joined(path):
            if unwritten := [texts[one.message_id] for one in said if one.message_id not in written]:
                parts.append(_message_as_markdown(place + len(said) - len(unwritten), unwritten))
        written |= {node.message_id for node in path}
    return "\n".join(parts)


def _leaves(conversation: Conversation) -> list[UUID]:
    """The selected branch's end first, then the others in the order in which they came."""
    selected = conversation.selected_leaf_id
    others = [leaf for leaf in conversation.nodes.leaves() if leaf != selected]
    return others if selected is None else [selected, *others]


def _head(conversation: Conversation) -> Iterator[str]:
    settings = conversation.settings
    facts = [f"- Conversation: `{conversation.id}`", f"- Version: {conversation.version}"]
    if settings.model:
        facts.append(f"- Model: {_one_line(settings.model)}")
    facts += [
        f"- {name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in (settings.params or {}).items()
    ]
    origin = conversation.forked_from
    if origin is not None:
        facts.append(
            f"- Goes on from conversation `{origin.conversation_id}`, version {origin.version}, "
            f"message `{origin.message_id}`"
        )
    yield "\n".join(facts) + "\n"
    if settings.system_prompt:
        yield f"## System prompt\n\n{_quoted(settings.system_prompt)}\n"


def _branch_heading(
    conversation: Conversation, number: int, path: Sequence[Node], new: Sequence[Node]
) -> str:
    common = len(path) - len(new)
    where = f"from message {common + 1} on" if common else "from the first message on"
    hidden = ", hidden" if conversation.nodes.is_hidden(path[-1].message_id) else ""
    return f"---\n\n# Branch {number}, {where}{hidden}\n"


def _joined(path: Sequence[Node]) -> Iterator[tuple[int, list[Node]]]:
    """Each message with the replies that go on from it, as they are read, and the first one's place."""
    said: list[Node] = []
    for place, node in enumerate(path, start=1):
        if said and node.continues != said[-1].message_id:
            yield place - len(said), said
            said = []
        said.append(node)
    if said:
        yield len(path) - len(said) + 1, said


def _message_as_markdown(place: int, said: Sequence[Mapping[str, Any]]) -> str:
    """One message, or a reply with what goes on from it. Only the last of them ended for good."""
    first, last = said[0], said[-1]
    who = _WRITERS.get(first["role"]) or first["model"] or "Model"
    # What it goes on from stands in a branch above.
    goes_on = f" · goes on from message {place - 1}" if first["continues"] else ""
    note = f" · {last['outcome']}" if last["outcome"] not in {None, "complete"} else ""
    parts = [f"## {place}. {_one_line(who)}\n\n*{first['at']}{goes_on}{note}*\n"]
    parts += [f"Reasoning:\n\n{_quoted(one['reasoning'])}\n" for one in said if one["reasoning"]]
    parts.append(_closed("".join(one["content"] for one in said)) + "\n")
    if last["error"] is not None:
        parts.append(_quoted(last["error"]["message"]) + "\n")
    return "\n".join(parts)


def _messages(export: Exported) -> Iterator[tuple[UUID, dict[str, Any]]]:
    """Every message that was ever made in the chain, by its id."""
    recorded = {
        event.reply_id: event
        for part in export.history
        for event in part.events
        if isinstance(event, e.ReplyRecorded)
    }
    for part in export.history:
        for event in part.events:
            match event:
                case e.UserMessageSent():
                    yield event.message_id, _message(part.conversation_id, event, None, None)
                case e.MessageImported():
                    yield event.message_id, _imported(part.conversation_id, event)
                case e.ReplyRequested():
                    end = recorded.get(event.reply_id)
                    yield (
                        event.reply_id,
                        _message(part.conversation_id, event, end, export.models.get(event.call_id)),
                    )
                case _:
                    pass


def _message(
    conversation_id: UUID,
    event: e.UserMessageSent | e.ReplyRequested,
    recorded: e.ReplyRecorded | None,
    model: str | None,
) -> dict[str, Any]:
    is_user = isinstance(event, e.UserMessageSent)
    error = None if recorded is None else recorded.error
    return {
        "id": str(event.message_id if isinstance(event, e.UserMessageSent) else event.reply_id),
        "parent_id": None if event.parent_id is None else str(event.parent_id),
        "conversation_id": str(conversation_id),
        "version": event.originator_version,
        "at": event.timestamp.isoformat().replace("+00:00", "Z"),
        "role": "user" if is_user else "assistant",
        "content": event.content
        if isinstance(event, e.UserMessageSent)
        else ("" if recorded is None else recorded.content),
        "reasoning": "" if recorded is None else recorded.reasoning,
        "tool_calls": [] if recorded is None else list(recorded.tool_calls),
        "outcome": None if is_user else ("pending" if recorded is None else recorded.outcome),
        "finish_reason": None if recorded is None else recorded.finish_reason,
        "error": None if error is None else {"code": error.code, "message": error.message},
        "call_id": None if isinstance(event, e.UserMessageSent) else str(event.call_id),
        "model": model,
        "continues": None
        if isinstance(event, e.UserMessageSent) or event.continues is None
        else str(event.continues),
        "replay": None
        if isinstance(event, e.UserMessageSent) or event.replay is None
        else {"replay_id": str(event.replay.replay_id), "turn": event.replay.turn},
    }


def _imported(conversation_id: UUID, event: e.MessageImported) -> dict[str, Any]:
    """A message from elsewhere: `parts` holds what is more than a text."""
    return {
        "id": str(event.message_id),
        "parent_id": None if event.parent_id is None else str(event.parent_id),
        "conversation_id": str(conversation_id),
        "version": event.originator_version,
        "at": event.timestamp.isoformat().replace("+00:00", "Z"),
        "role": event.role,
        "content": text_of_imported(event.content),
        "parts": None if isinstance(event.content, str) else event.content,
        "source": event.source,
        "reasoning": "",
        "tool_calls": [],
        "outcome": COMPLETE if event.role == ASSISTANT else None,
        "finish_reason": None,
        "error": None,
        "call_id": None,
        "model": None,
        "continues": None,
        "replay": None,
    }


def _settings_changes(export: Exported) -> Iterator[dict[str, Any]]:
    for part in export.history:
        for event in part.events:
            changed: dict[str, Any]
            match event:
                case e.SystemPromptChanged():
                    changed = {"system_prompt": event.text}
                case e.ModelSettingsChanged():
                    changed = {"model": event.model, "params": event.params}
                case _:
                    continue
            yield {
                "conversation_id": str(part.conversation_id),
                "version": event.originator_version,
                "at": event.timestamp.isoformat().replace("+00:00", "Z"),
                **changed,
            }


def _closed(text: str) -> str:
    """The text, with a code block that it leaves open closed, so that what follows stays readable."""
    open_mark: str | None = None
    for found in _FENCE.finditer(text):
        mark = found["mark"]
        if open_mark is None:
            open_mark = mark
        elif mark.startswith(open_mark) and not found["rest"].strip():
            open_mark = None
    return text if open_mark is None else f"{text}\n{open_mark}"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _file_name(conversation: Conversation) -> str:
    plain = unicodedata.normalize("NFKD", conversation.title).encode("ascii", "ignore").decode().lower()
    name = _NOT_FOR_NAMES.sub("-", plain).strip("-")[:60].strip("-")
    if not name:
        return f"conversation-{conversation.id}"
    # Windows keeps these names for devices, with every ending.
    return f"conversation-{name}" if _DEVICES.fullmatch(name) else name
