"""The histories from which golden files are first made: every event, and every tricky prompt.

Golden files are stored bytes: once a release has written them they never change. `python -m
tests.contract.golden.samples` adds files that are missing and never touches one that is there.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent

from backend.application.ports import OneRunner
from backend.domain import commands as c
from backend.domain import events as e
from backend.domain.conversation import Conversation, ReplyPlace
from backend.domain.model_call import AttemptResult, ModelCall
from backend.domain.prompt_request import TITLE_BUILDER, PromptRequest, Trimming
from backend.domain.replay import call_id_of
from backend.event_store.codec import revive, to_plain
from backend.event_store.mapper import VerbatimMapper
from backend.prompting.build import StreamSlice, build_prompt
from tests.contract.golden.imported import imported_event, imported_talk
from tests.support.builders import OWNER, CountingIds, Stamps, World, finished, make_id

FOLDER = Path(__file__).parent
EVENTS, PROMPTS = FOLDER / "events", FOLDER / "prompts"
MAPPER = VerbatimMapper()


def sample_events() -> dict[str, e.VerbatimEvent]:
    """One event of every topic, with values that are easy to get wrong."""
    world = World()
    conversation_id = world.start(
        title="Grüße 👋",
        system_prompt="Line one\nline “two”",
        params={"temperature": 0.7, "seed": -3, "stop": ["a\tb"]},
    )
    sent = world.send(conversation_id, 'Quotes " and \\ and \u2028 and \x1f', source="api")
    claim = world.begin(sent.call_id)
    world.run(c.CancelModelCall(OWNER, sent.call_id))
    world.run(
        c.RecordModelCallResult(
            sent.call_id,
            finished(response_id="chatcmpl-1", response_model="a-model", system_fingerprint="fp_1"),
            "A reply with 漢字",
            "Some reasoning",
            ({"index": 0, "id": "call_1", "function": {"name": "f", "arguments": '{"a":1}'}},),
            None,
            "worker-1",
            claim,
        )
    )
    for change in (
        c.ChangeConversation(OWNER, conversation_id, title="Another", pinned=True, archived=True),
        c.ChangeConversation(OWNER, conversation_id, pinned=False, archived=False),
        c.DeleteConversation(OWNER, conversation_id),
        c.RestoreConversation(OWNER, conversation_id),
    ):
        world.run(change)
    found = {type(r.event).TOPIC: r.event for r in reversed(world.store.read_after(0, 100))}
    found.update(_other_ends())
    found.update(_branches_and_replays())
    found.update(_title())
    found.update(imported_event())
    found.update(_audit_trail())
    found.update(_erasure())
    assert found.keys() == e.EVENT_CLASSES.keys(), e.EVENT_CLASSES.keys() ^ found.keys()
    return found


def _audit_trail() -> dict[str, e.VerbatimEvent]:
    world = World()
    reader, conversation, call = make_id("reader"), make_id("conversation"), make_id("call")
    world.run(c.RecordAuditRead(reader, OWNER, "prompt", conversation, call), actor=f"user:{reader}")
    return {type(r.event).TOPIC: r.event for r in world.store.read_after(0, 100)}


def _erasure() -> dict[str, e.VerbatimEvent]:
    world = World(ids=CountingIds("erasure"))
    conversation_id = world.start()
    world.turn(conversation_id)
    world.run(c.EraseConversations((conversation_id,), by="operator Grüße", reason='Asked for: "all of it"'))
    event = world.store.read_events(conversation_id)[-1]
    return {type(event).TOPIC: event}


def _other_ends() -> dict[str, e.VerbatimEvent]:
    ends: dict[str, e.VerbatimEvent] = {}
    for outcome in ("failed", "cancelled", "interrupted"):
        call = ModelCall.request(
            call_id=make_id(f"call that {outcome}"),
            owner_id=OWNER,
            conversation_id=None,
            reply_id=None,
            purpose="external",
            source="openai",
            prompt_request=PromptRequest(None, 0, "a-model", {}, raw_body='{"model":"a-model"}'),
            body_sha256="0" * 64,
            body_length=19,
            stamp=Stamps(f"request {outcome}"),
        )
        call.start_attempt(
            runner="built-in", runner_version="b1", worker="w", stamp=Stamps(f"start {outcome}")
        )
        result = AttemptResult(
            attempt=1,
            outcome=outcome,
            duration_ms=1500,
            chunk_count=2,
            error=e.CallError(
                "stream_cut", "The connection broke.", None if outcome == "interrupted" else 502
            ),
            delivered_characters=8,
            content="Half a s",
        )
        call.end_attempt(result, Stamps(f"end {outcome}"))
        event = call.pending_events[-1]
        assert isinstance(event, e.VerbatimEvent)
        ends[type(event).TOPIC] = event
    return ends


def _title() -> dict[str, e.VerbatimEvent]:
    world = World(ids=CountingIds("title"), titles=True, runners=OneRunner("gpu", reports_progress=True))
    conversation_id = world.start()
    world.turn(conversation_id, "Why is the sky blue?", "Because of 漢字.")
    call_id = world.conversation(conversation_id).title_call_id
    assert call_id is not None
    world.record(call_id, world.begin(call_id), '"The Blue Sky"')
    kinds = e.TitleRequested | e.ConversationTitled
    events = [recorded.event for recorded in world.store.read_after(0, 100)]
    return {type(event).TOPIC: event for event in events if isinstance(event, kinds)}


def _branches_and_replays() -> dict[str, e.VerbatimEvent]:
    world = World(ids=CountingIds("branches"))
    conversation_id = world.start()
    first, second = world.turn(conversation_id, "One"), world.turn(conversation_id, "Two")
    other = world.turn(conversation_id, "Another two", parent_id=first.reply_id)
    for change in (
        c.SelectBranch(OWNER, conversation_id, second.reply_id),
        c.HideBranch(OWNER, conversation_id, other.reply_id),
        c.ShowBranch(OWNER, conversation_id, other.reply_id),
    ):
        world.run(change)
    for ending in ("finished", "stopped", "cancelled"):
        started = world.run(
            c.StartReplay(OWNER, conversation_id, first.reply_id, "b-model", {"seed": 7}, "Shout.")
        )
        replay_id = UUID(started.body["replay_id"])
        step = c.AdvanceReplay(conversation_id, replay_id)
        world.run(step)
        if ending == "cancelled":
            world.run(c.CancelReplay(OWNER, conversation_id, replay_id))
            continue
        call_id = call_id_of(replay_id, 1, 1)
        outcome = "complete" if ending == "finished" else "failed"
        world.record(call_id, world.begin(call_id), "Hi." if ending == "finished" else "", outcome=outcome)
        world.run(step)
        if ending == "stopped":
            world.run(c.ResumeReplay(OWNER, conversation_id, replay_id))
    kinds = (
        e.BranchSelected
        | e.BranchHidden
        | e.BranchShown
        | e.ReplayRequested
        | e.ReplayStopped
        | e.ReplayResumed
        | e.ReplayFinished
        | e.ReplayCancelled
        | e.ReplyRequested
    )
    events = [recorded.event for recorded in world.store.read_after(0, 200)]
    return {type(event).TOPIC: event for event in events if isinstance(event, kinds)}


# ---- prompts ----------------------------------------------------------------------------------


def sample_prompts() -> dict[str, tuple[list[StreamSlice], PromptRequest]]:
    """Histories that a prompt builder could get wrong, with a request on each."""
    return {
        "plain": _talk([("user", "Hello"), ("complete", "Hi."), ("user", "More")]),
        "unicode": _talk(
            [
                ("user", "👩‍👩‍👧 שלום \u202e مرحبا é e\u0301"),
                ("complete", "漢字\u2028"),
                ("user", "\U0001f600"),
            ]
        ),
        "control-characters": _talk([("user", 'a"b\\c\x01\x1f\x7f\b\f\r\n\t')]),
        "failed-replies-joined": _talk(
            [("user", "One"), ("failed", ""), ("user", "Two"), ("cancelled", ""), ("user", "3")]
        ),
        "partial-reply-kept": _talk([("user", "Go"), ("interrupted", "Half a sen"), ("user", "On")]),
        "empty-system-prompt": _talk([("user", "Hello")], system_prompt=""),
        "system-prompt-override": _talk([("user", "Hello")], override="Shout."),
        "parameters": _talk(
            [("user", "Hello")],
            params={
                "temperature": "0.7",
                "top_p": "1",
                "max_tokens": "100",
                "seed": "-9007199254740991",
                "stop": ["\n", "é"],
            },
        ),
        "small-numbers": _talk([("user", "Hello")], params={"temperature": "0.0000001", "min_p": "0.05"}),
        "whitespace-kept": _talk([("user", "  leading\n\n\ntrailing  \n")]),
        "trimmed": _trimmed(),
        "continued": _continued(),
        "fork-of-a-fork": _fork_of_a_fork(),
        "imported": imported_talk(),
        "progress": _with(_talk([("user", "Hello")], params={"seed": "1"}), progress=True),
        "title": _with(
            _talk([("user", "👋 " + "Why? " * 400), ("complete", "Because\n\n" * 200)]), builder=TITLE_BUILDER
        ),
        "title-of-an-empty-reply": _with(_talk([("user", "Go"), ("failed", "")]), builder=TITLE_BUILDER),
    }


def _with(
    sample: tuple[list[StreamSlice], PromptRequest], **fields: Any
) -> tuple[list[StreamSlice], PromptRequest]:
    history, request = sample
    return history, replace(request, **fields)


def _talk(
    turns: list[tuple[str, str]],
    *,
    system_prompt: str = "Be brief.",
    override: str | None = None,
    params: dict[str, Any] | None = None,
) -> tuple[list[StreamSlice], PromptRequest]:
    world = World()
    conversation_id = world.start(system_prompt=system_prompt)
    conversation, stamp, leaf = world.conversation(conversation_id), Stamps("talk"), None
    for place, (kind, content) in enumerate(turns):
        name = make_id(f"message {place}")
        if kind == "user":
            conversation.send_user_message(message_id=name, parent_id=leaf, content=content, stamp=stamp)
        else:
            assert leaf is not None
            _reply(conversation, name, leaf, content, kind, stamp)
        leaf = name
    events = [*world.store.read_history(conversation_id)[-1].events, *_pending(conversation)]
    request = PromptRequest(leaf, conversation.version, "a-model", params or {}, system_prompt=override)
    return [StreamSlice(conversation_id, events)], request


def _reply(
    conversation: Conversation, name: Any, parent: Any, content: str, outcome: str, stamp: Stamps
) -> None:
    conversation.request_reply(
        reply_id=name, place=ReplyPlace(parent), call_id=make_id(f"call of {name}"), stamp=stamp
    )
    conversation.record_reply(
        reply_id=name,
        content=content,
        reasoning="not sent",
        tool_calls=[],
        finish_reason="stop" if outcome == "complete" else None,
        outcome=outcome,
        error=None,
        stamp=stamp,
    )


def _pending(conversation: Conversation) -> list[e.VerbatimEvent]:
    return [event for event in conversation.pending_events if isinstance(event, e.VerbatimEvent)]


def _trimmed() -> tuple[list[StreamSlice], PromptRequest]:
    history, request = _talk([("user", "Old"), ("complete", "Old reply"), ("user", "New")])
    trimming = Trimming("sixty-percent", 1, make_id("message 2"), 2, 900, 800)
    return history, replace(request, trimming=trimming)


def _continued() -> tuple[list[StreamSlice], PromptRequest]:
    [part], request = _talk(
        [("user", "Go"), ("interrupted", "Half a sen"), ("user", "never sent"), ("complete", "tence.")]
    )
    continued = [
        replace(_as(event, e.ReplyRequested), parent_id=make_id("message 1"), continues=make_id("message 1"))
        if isinstance(event, e.ReplyRequested) and event.reply_id == make_id("message 3")
        else event
        for event in part.events
    ]
    return [StreamSlice(part.conversation_id, continued)], request


def _fork_of_a_fork() -> tuple[list[StreamSlice], PromptRequest]:
    [root], _ = _talk([("user", "Hello"), ("complete", "Hi."), ("user", "not inherited")])
    history = [StreamSlice(root.conversation_id, root.events[:6])]
    parent = make_id("message 1")
    for place, content in enumerate(["First fork", "Second fork"]):
        stream, message, source = make_id(f"fork {place}"), make_id(f"fork message {place}"), history[-1]
        start = replace(
            _as(root.events[0], e.ConversationStarted),
            originator_id=stream,
            forked_from=e.ForkOrigin(source.conversation_id, source.events[-1].originator_version, parent),
        )
        said = replace(
            _as(root.events[3], e.UserMessageSent),
            originator_id=stream,
            originator_version=2,
            message_id=message,
            parent_id=parent,
            content=content,
        )
        history.append(StreamSlice(stream, [start, said]))
        parent = message
    return history, PromptRequest(parent, 2, "a-model", {})


def _as(event: e.VerbatimEvent, kind: type[Any]) -> Any:
    assert isinstance(event, kind)
    return event


# ---- files ------------------------------------------------------------------------------------


def event_as_file(event: e.VerbatimEvent) -> dict[str, Any]:
    stored = MAPPER.to_stored_event(event)
    return {
        "topic": stored.topic,
        "stream_id": str(stored.originator_id),
        "version": stored.originator_version,
        "stored": stored.state.decode("utf-8"),
    }


def event_of_file(content: dict[str, Any]) -> e.VerbatimEvent:
    return MAPPER.to_domain_event(stored_event_of_file(content))


def stored_event_of_file(content: dict[str, Any]) -> StoredEvent:
    return StoredEvent(
        originator_id=revive(e.ForkOrigin, "conversation_id", content["stream_id"]),
        originator_version=content["version"],
        topic=content["topic"],
        state=content["stored"].encode("utf-8"),
    )


def prompt_as_file(history: list[StreamSlice], request: PromptRequest) -> dict[str, Any]:
    prompt = build_prompt(history, request)
    return {
        "history": [
            {
                "conversation_id": str(part.conversation_id),
                "events": [event_as_file(event) for event in part.events],
            }
            for part in history
        ],
        "request": to_plain(request),
        "body": prompt.body.decode("utf-8"),
        "body_sha256": prompt.body_sha256,
    }


def main() -> int:
    """Write the files that are missing."""
    wanted = {EVENTS / f"{topic}.json": event_as_file(event) for topic, event in sample_events().items()}
    wanted |= {PROMPTS / f"{name}.json": prompt_as_file(*sample) for name, sample in sample_prompts().items()}
    for path, content in wanted.items():
        if not path.exists():
            path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            print(f"added {path.relative_to(FOLDER)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
