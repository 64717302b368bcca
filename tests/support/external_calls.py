"""Calls that programs made through the proxy, without a conversation."""

from __future__ import annotations

import hashlib

from backend.domain.events import ModelCallRequested
from backend.domain.model_call import ModelCall
from backend.domain.prompt_request import PromptRequest
from tests.support.builders import OWNER, Stamps, make_id


def external_call(sent: str, *, keep_body: bool = True) -> ModelCallRequested:
    """The request of one call. sent: what the program sent; keep_body: whether the record holds a copy of it."""
    body = sent.encode("utf-8")
    call = ModelCall.request(
        call_id=make_id(f"external {sent} {keep_body}"),
        owner_id=OWNER,
        conversation_id=None,
        reply_id=None,
        purpose="external",
        source="openai",
        prompt_request=PromptRequest(None, 0, "a-model", {}, raw_body=sent if keep_body else None),
        body_sha256=hashlib.sha256(body).hexdigest(),
        body_length=len(body),
        stamp=Stamps(f"external {sent} {keep_body}"),
    )
    event = call.pending_events[0]
    assert isinstance(event, ModelCallRequested)
    return event
