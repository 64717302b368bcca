"""Titles by a model: one short call after a conversation's first reply, in the commit that records the reply.

Nobody waits for it, and nothing depends on it: a conversation has the first words of its first message for a
title until then, and keeps them where the call comes to nothing.
"""

from __future__ import annotations

from typing import Final

from backend.application.conversations import Loaded
from backend.application.execution import Handling
from backend.domain.errors import DomainError
from backend.domain.events import VerbatimEvent
from backend.domain.model_call import EXTERNAL_PURPOSE, ModelCall
from backend.domain.prompt_request import TITLE_BUILDER, PromptRequest
from backend.domain.values import Params

TITLE_PURPOSE: Final = "title"
TITLE_PARAMS: Final[Params] = {"max_tokens": "64", "temperature": "0"}
"""Room for a few words, and a little thinking; the likeliest title rather than a surprising one."""


def title_call(loaded: Loaded, reply: ModelCall, handling: Handling) -> ModelCall | None:
    """Ask for a title, of the model that wrote this reply; None where there is nothing to ask for.

    The conversation has the reply's end among its pending events.
    """
    conversation = loaded.conversation
    if not handling.services.titles or reply.reply_id is None or not conversation.wants_title:
        return None
    if reply.purpose == EXTERNAL_PURPOSE:
        # A program's calls may be thousands, and none of them asked for a second one.
        return None
    call_id = handling.id_of("title call")
    pending = [event for event in conversation.pending_events if isinstance(event, VerbatimEvent)]
    chosen = handling.services.runners.choose(reply.prompt_request.model, on=reply.runner)
    request = PromptRequest(
        leaf_id=reply.reply_id,
        version=conversation.version,
        model=chosen.model,
        params=TITLE_PARAMS,
        builder=TITLE_BUILDER,
    )
    try:
        body_sha256, body_length = loaded.prompts.with_pending(pending).digest(request)
    except DomainError:
        # A reply is never held up by its title.
        return None
    conversation.request_title(call_id, handling.stamp)
    return ModelCall.request(
        call_id=call_id,
        owner_id=conversation.owner_id,
        conversation_id=conversation.id,
        reply_id=None,
        purpose=TITLE_PURPOSE,
        source="browser",
        runner=chosen.name,
        prompt_request=request,
        body_sha256=body_sha256,
        body_length=body_length,
        stamp=handling.stamp,
    )
