"""Handlers of replays: starting one, taking its steps, stopping, resuming and cancelling it.

A step is asked for by a model-call worker whenever one may be due. It looks at the conversation and
does what is due there, so a step asked for twice, or by two workers, is taken once.
"""

from __future__ import annotations

from uuid import UUID

from backend.application.answers import text_or_none
from backend.application.conversations import Loaded
from backend.application.dispatch import Handle, handler_of
from backend.application.execution import Handling
from backend.application.ports import (
    AnnounceCancel,
    Answer,
    Companion,
    KeepReplay,
    QueueCall,
    ReplayStepDue,
    ReplayStepTaken,
)
from backend.application.requesting import Asking, Overrides, model_of, request_reply
from backend.domain import commands as c
from backend.domain.conversation import ReplyPlace
from backend.domain.errors import DomainError, NotFound, ReplayChangesNothing, UnknownModel
from backend.domain.events import ReplayTurn, ReplyError
from backend.domain.model_call import ModelCall
from backend.domain.replay import (
    Finish,
    Replay,
    SendTurn,
    Stop,
    call_id_of,
    message_id_of,
    reply_id_of,
)
from backend.domain.values import check_system_prompt


@handler_of.register
def _(command: c.StartReplay) -> Handle:
    overrides = Overrides(command.model, command.params)
    system_prompt = None if command.system_prompt is None else check_system_prompt(command.system_prompt)
    if not overrides.given and system_prompt is None:
        raise ReplayChangesNothing

    def start_replay(handling: Handling) -> Answer:
        conversation = handling.load_own(command.conversation_id, command.owner_id).conversation
        conversation.check_version(command.expected_version)
        settings = conversation.settings
        replay = conversation.start_replay(
            replay_id=handling.id_of("replay"),
            leaf_id=command.leaf_id,
            model=_known(overrides.model, handling) or model_of(conversation, handling),
            params=(settings.params or {}) if overrides.params is None else overrides.params,
            system_prompt=system_prompt,
            stamp=handling.stamp,
        )
        return handling.save(
            conversation,
            status=202,
            body={
                "replay_id": str(replay.replay_id),
                "turns_total": replay.turns_total,
                "version": conversation.version,
            },
            companions=[
                KeepReplay(replay.replay_id, conversation.id, conversation.owner_id, conversation.version)
            ],
        )

    return start_replay


@handler_of.register
def _(command: c.CancelReplay) -> Handle:
    def cancel_replay(handling: Handling) -> Answer:
        conversation = handling.load_own(command.conversation_id, command.owner_id).conversation
        call_id = conversation.cancel_replay(command.replay_id, handling.stamp)
        if call_id is None:
            return handling.save(conversation, status=202, body={})
        call = handling.store.read_call(call_id)
        call.request_cancel(by=handling.actor, stamp=handling.stamp)
        return handling.save(conversation, call, status=202, body={}, companions=[AnnounceCancel(call.id)])

    return cancel_replay


@handler_of.register
def _(command: c.ResumeReplay) -> Handle:
    def resume_replay(handling: Handling) -> Answer:
        loaded = handling.load_own(command.conversation_id, command.owner_id)
        conversation = loaded.conversation
        again = conversation.resume_replay(command.replay_id, handling.stamp)
        if again is None:
            # The turn that could not be sent is simply due again.
            due = ReplayStepDue(command.replay_id, conversation.version)
            body = {"reply_id": None, "call_id": None}
            return handling.save(conversation, status=202, body=body, companions=[due])
        replay = conversation.replay(command.replay_id)
        call = _ask(loaded, replay, again, message_id_of(replay.replay_id, again.turn), handling)
        return handling.save(
            conversation,
            call,
            status=202,
            body={"reply_id": text_or_none(call.reply_id), "call_id": str(call.id)},
            companions=[QueueCall.of(call)],
        )

    return resume_replay


@handler_of.register
def _(command: c.AdvanceReplay) -> Handle:
    def advance_replay(handling: Handling) -> Answer:
        loaded = handling.load(command.conversation_id)
        conversation = loaded.conversation
        taken: list[Companion] = [ReplayStepTaken(command.replay_id, conversation.version)]
        match conversation.replay_step(command.replay_id):
            case None:
                return handling.save(conversation, status=200, body={"step": None}, companions=taken)
            case Finish(leaf_id=leaf_id):
                conversation.finish_replay(command.replay_id, leaf_id, handling.stamp)
                return handling.save(conversation, status=200, body={"step": "finish"}, companions=taken)
            case Stop(turn=turn, error=error):
                conversation.stop_replay(command.replay_id, turn=turn, error=error, stamp=handling.stamp)
                return handling.save(conversation, status=200, body={"step": "stop"}, companions=taken)
            case SendTurn() as step:
                return _send_turn(command, loaded, step, handling)

    return advance_replay


def _send_turn(command: c.AdvanceReplay, loaded: Loaded, step: SendTurn, handling: Handling) -> Answer:
    conversation = loaded.conversation
    taken = ReplayStepTaken(command.replay_id, conversation.version)
    before = conversation.copy()
    replay = conversation.replay(command.replay_id)
    message_id = message_id_of(replay.replay_id, step.turn)
    try:
        conversation.send_user_message(
            message_id=message_id,
            parent_id=step.parent_id,
            content=loaded.prompts.text_of(step.source_id),
            stamp=handling.stamp,
        )
        turn = ReplayTurn(replay.replay_id, step.turn)
        call = _ask(loaded, replay, turn, message_id, handling)
    except NotFound:
        raise
    except DomainError as refused:
        # What was begun above is dropped. The stop hangs on the version at which it was decided, so that
        # a replay that somebody cancelled meanwhile is not stopped after its end.
        error = ReplyError(refused.code, str(refused))
        before.stop_replay(replay.replay_id, turn=step.turn, error=error, stamp=handling.stamp)
        return handling.save(before, status=200, body={"step": "stop"}, companions=[taken])
    return handling.save(
        conversation,
        call,
        status=200,
        body={"step": "send", "turn": step.turn},
        companions=[QueueCall.of(call), taken],
    )


def _ask(loaded: Loaded, replay: Replay, turn: ReplayTurn, message_id: UUID, handling: Handling) -> ModelCall:
    attempt = replay.tries + 1 if replay.turn == turn.turn else 1
    asking = Asking(
        model=replay.model,
        params=replay.params,
        system_prompt=replay.system_prompt,
        source="browser",
        purpose="replay",
        replay=turn,
    )
    return request_reply(
        loaded,
        ReplyPlace(message_id),
        asking,
        handling,
        reply_id=reply_id_of(replay.replay_id, turn.turn, attempt),
        call_id=call_id_of(replay.replay_id, turn.turn, attempt),
    )


def _known(model: str | None, handling: Handling) -> str | None:
    """The model as it was asked for. Raises UnknownModel where the runners are known not to offer it."""
    known = handling.services.models.known_models()
    if model is None or known is None:
        return model
    if handling.services.runners.choose(model).model not in known:
        raise UnknownModel(model, known)
    return model
