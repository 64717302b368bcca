"""The part of a recorded model call from which its prompt can be rebuilt at any later time."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from backend.domain.values import Params

CURRENT_BUILDER = "chat/1"
TITLE_BUILDER = "title/1"
CLIENT_BUILDER = "client/1"
"""Nothing is built: the client's own bytes are sent, with the value of `model` replaced where a runner was named too."""
CURRENT_SERIALIZER = "jcs-rfc8785/1"
CLIENT_SERIALIZER = "as-received/1"


@dataclass(frozen=True)
class Trimming:
    """Which earlier messages were left out to fit the model's context, and by which rule."""

    policy: str
    policy_version: int
    first_kept_message_id: UUID
    omitted_count: int
    counted_tokens: int
    context_tokens: int


@dataclass(frozen=True)
class PromptRequest:
    """leaf_id: the last message sent. version: of the conversation, up to which history counts.

    system_prompt: an override, or None for the one in force at `version`.
    raw_body: the client's own bytes as text (external calls only), since nothing rebuilds those. model: as it was sent.
    progress: the body asks the runner to tell how far it has come with reading the prompt.
    """

    leaf_id: UUID | None
    version: int
    model: str
    params: Params
    builder: str = CURRENT_BUILDER
    serializer: str = CURRENT_SERIALIZER
    system_prompt: str | None = None
    trimming: Trimming | None = None
    raw_body: str | None = None
    progress: bool = False
