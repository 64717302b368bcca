"""What single messages add to the bytes of a prompt, and what stands around them.

A body is a head (parameters, the system message), the messages, and a tail; neighbours of one role are one message in it.
Pure; `prefixes` puts the pieces together and keeps their digests.
"""

from __future__ import annotations

from dataclasses import dataclass
from json import loads
from json.encoder import encode_basestring
from typing import TYPE_CHECKING
from uuid import UUID

from backend.domain.prompt_request import PromptRequest
from backend.prompting.build import CannotRebuildPrompt, request_fields
from backend.prompting.canonical import canonical_bytes

if TYPE_CHECKING:
    from hashlib import _Hash

_MESSAGES_KEY = b'"messages":[]'
_BLANK_LINE = rb"\n\n"


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """text: as it stands between the quotes of a JSON text. made, since: the versions from which on the

    message and its text are there; a reply's text comes later than the reply.
    """

    parent_id: UUID | None
    role: str
    text: bytes
    continues: UUID | None
    made: int
    since: int

    @property
    def content(self) -> str:
        text: str = loads(b'"' + self.text + b'"')
        return text


@dataclass(frozen=True, slots=True)
class Digested:
    """A body up to the end of a message's text, its closing quote not yet written."""

    digest: _Hash
    length: int
    role: str
    since: int


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands before and after the messages. head ends inside the system message's text."""

    head: bytes
    tail: bytes


def frame_of(request: PromptRequest, system_prompt: str) -> Frame:
    """What stands around a request's messages."""
    around = canonical_bytes(request_fields(request, messages=[]))
    head, _, tail = around.partition(_MESSAGES_KEY)
    system = encode_basestring(system_prompt)[:-1].encode("utf-8")
    return Frame(head + b'"messages":[{"content":' + system, b"]" + tail)


def written(message_id: UUID, content: str) -> bytes:
    """A message's text as it stands between the quotes of a JSON text. Raises CannotRebuildPrompt."""
    try:
        return encode_basestring(content)[1:-1].encode("utf-8")
    except UnicodeEncodeError:
        raise CannotRebuildPrompt(
            f"Message {message_id} holds half of a character, which was never sent. Events were changed; check the store."
        ) from None


def piece_of(message: KeptMessage, role: str) -> tuple[bytes, str]:
    """What a message adds to a body that ends inside the text of a message of `role`, and the role it ends with."""
    if message.role == "assistant" and not message.text:
        return b"", role
    if message.role != role:
        return closing(role) + b',{"content":"' + message.text, message.role
    if message.continues is not None:
        return message.text, role
    return _BLANK_LINE + message.text, role


def closing(role: str) -> bytes:
    return b'","role":"' + role.encode("ascii") + b'"}'


def first_kept_of(request: PromptRequest) -> UUID | None:
    return None if request.trimming is None else request.trimming.first_kept_message_id


def not_on_the_branch(first_kept: UUID) -> CannotRebuildPrompt:
    return CannotRebuildPrompt(
        f"Message {first_kept}, the first one kept, is not on the branch that was sent."
    )


def not_in_the_history(message_id: UUID) -> CannotRebuildPrompt:
    return CannotRebuildPrompt(
        f"Message {message_id} is not in the conversation's history at the recorded version. "
        "The events may be incomplete; check the store."
    )
