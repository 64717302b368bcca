"""What verifying finds, and that it never blames what is proven: the law is tested on the bytes themselves."""

from __future__ import annotations

import re
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.audit.verify import IDENTICAL, MISMATCH, MISSING, OPAQUE, missing, verify_alone, verify_calls
from backend.domain import events as e
from backend.domain.events import ModelCallRequested
from backend.domain.model_call import ModelCall
from backend.domain.prompt_request import PromptRequest
from backend.prompting.build import StreamSlice, build_prompt
from tests.support.builders import Stamps
from tests.support.external_calls import external_call
from tests.support.facts import CONVERSATION, OWNER, call_id, message_id
from tests.support.histories import Told, prompts_of, reply_recorded


def requested(told: Told, number: int, request: PromptRequest) -> ModelCallRequested:
    """The call with this number, recorded with the digest of the prompt as it is now."""
    prompt = build_prompt(told.slices(), request)
    call = ModelCall.request(
        call_id=call_id(number),
        owner_id=OWNER,
        conversation_id=told.conversation_id,
        reply_id=message_id(number),
        purpose="chat",
        source="web",
        prompt_request=request,
        body_sha256=prompt.body_sha256,
        body_length=len(prompt.body),
        stamp=Stamps(f"call {number}"),
    )
    event = call.pending_events[0]
    assert isinstance(event, ModelCallRequested)
    return event


def talk(turns: int) -> tuple[Told, list[ModelCallRequested]]:
    """A conversation of questions and answers, with the call of each answer."""
    told, calls = Told(), []
    for number in range(turns):
        told.user(f"Question {number}")
        asking = told.leaf
        told.asks()
        assert told.leaf is not None
        calls.append(requested(told, told.leaf, told.request(leaf=asking)))
        told.add(reply_recorded(told.leaf, f"Answer {number}"))
    return told, calls


def changed(told: Told, version: int, **fields: object) -> list[StreamSlice]:
    """The history with one event of its own stream changed."""
    *before, own = told.slices()
    events = [
        event if event.originator_version != version else twin_of(event, fields) for event in own.events
    ]
    return [*before, StreamSlice(own.conversation_id, events)]


def twin_of(event: e.VerbatimEvent, fields: dict[str, object]) -> e.VerbatimEvent:
    twin = object.__new__(type(event))
    twin.__dict__.update({**event.__dict__, **fields})
    return twin


def contents(told: Told) -> list[int]:
    """The versions of the events that give a text."""
    own = told.slices()[-1]
    kinds = (e.UserMessageSent, e.ReplyRecorded)
    return [event.originator_version for event in own.events if isinstance(event, kinds)]


def test_what_is_unchanged_is_identical_whatever_the_order_in_which_it_comes() -> None:
    told, calls = talk(4)
    findings = verify_calls(CONVERSATION, prompts_of(told.slices()), reversed(calls))
    assert [finding.call_id for finding in findings] == [call.originator_id for call in calls]
    assert all(finding.verdict == IDENTICAL and finding.holds and not finding.detail for finding in findings)
    assert all(finding.recorded_sha256 == finding.rebuilt_sha256 for finding in findings)


@given(st.data())
def test_the_place_of_a_changed_text_is_bounded_truly(data: st.DataObject) -> None:
    told, calls = talk(data.draw(st.integers(1, 6)))
    version = data.draw(st.sampled_from(contents(told)))
    text = data.draw(st.text(max_size=12))
    history = changed(told, version, content=text)
    findings = verify_calls(CONVERSATION, prompts_of(history), calls)
    for call, finding in zip(calls, findings, strict=True):
        was = build_prompt(told.slices(), call.prompt_request).body
        now = build_prompt(history, call.prompt_request).body
        assert finding.holds == (was == now)
        if finding.holds:
            continue
        found = re.search(
            r"at byte ([\d,]+) or later.*? in (?:.*, or in )?events? (\d+)(?: to (\d+))? of", finding.detail
        )
        assert found is not None, finding.detail
        first_difference = next(
            (place for place, pair in enumerate(zip(was, now, strict=False)) if pair[0] != pair[1]),
            min(len(was), len(now)),
        )
        assert int(found[1].replace(",", "")) <= first_difference
        assert int(found[2]) <= version <= int(found[3] or found[2])


def test_the_first_call_behind_a_change_leaves_only_the_turn_in_question() -> None:
    told, calls = talk(5)
    version = contents(told)[6]  # the fourth question
    findings = verify_calls(CONVERSATION, prompts_of(changed(told, version, content="Another")), calls)
    assert [finding.verdict for finding in findings] == [IDENTICAL] * 3 + [MISMATCH] * 2
    reply = contents(told)[5]
    assert f"in events {reply} to {version} of stream {CONVERSATION}" in findings[3].detail
    assert f"(up to there proven by call {calls[2].originator_id})" in findings[3].detail
    lengths = f"recorded {calls[3].body_length:,} bytes, rebuilt {calls[3].body_length - 3:,}."
    assert findings[3].detail.startswith(lengths)


def test_where_no_call_is_proven_the_system_prompt_is_suspected_first() -> None:
    told, calls = talk(2)
    findings = verify_calls(CONVERSATION, prompts_of(changed(told, 2, text="Another")), calls)
    assert [finding.verdict for finding in findings] == [MISMATCH] * 2
    where = f"at byte 0 or later, in the system prompt at version {calls[0].prompt_request.version} of stream"
    assert where in findings[0].detail


def test_a_system_prompt_that_the_call_itself_records_is_part_of_that_call() -> None:
    told, calls = talk(1)
    own = twin_of(calls[0], {"prompt_request": replace(calls[0].prompt_request, system_prompt="Shout.")})
    assert isinstance(own, ModelCallRequested)
    (finding,) = verify_calls(CONVERSATION, prompts_of(told.slices()), [own])
    assert "the system prompt" not in finding.detail
    assert f"in event 1 of stream {own.originator_id}" in finding.detail


def test_in_a_fork_the_inherited_messages_are_suspected_and_no_version_of_its_own() -> None:
    told, _ = talk(2)
    other = UUID("c0000000-0000-4000-8000-000000000002")
    fork = Told(conversation_id=other, source=told, first_number=100)
    request = fork.request()
    call = requested(fork, 100, request)
    *before, own = fork.slices()
    source = changed(told, contents(told)[0], content="Another")
    (finding,) = verify_calls(other, prompts_of([*source, own]), [call])
    assert len(before) == 1
    assert finding.verdict == MISMATCH
    assert "what the conversation inherits" in finding.detail
    assert f"of stream {other}, or in what" in finding.detail, "its system prompt"
    assert "events" not in finding.detail


def test_a_builder_that_this_release_does_not_know_is_told() -> None:
    told, calls = talk(1)
    own = twin_of(calls[0], {"prompt_request": replace(calls[0].prompt_request, builder="chat/99")})
    assert isinstance(own, ModelCallRequested)
    (finding,) = verify_calls(CONVERSATION, prompts_of(told.slices()), [own])
    assert (finding.verdict, finding.rebuilt_sha256) == (MISMATCH, "")
    assert "chat/99" in finding.detail


def test_an_outside_call_is_compared_with_its_own_copy() -> None:
    call = external_call('{"model":"ä"}')
    assert verify_alone(call).verdict == IDENTICAL
    request = replace(call.prompt_request, raw_body='{"model":"a"}')
    other = twin_of(call, {"prompt_request": request})
    assert isinstance(other, ModelCallRequested)
    assert verify_alone(other).verdict == MISMATCH
    assert not verify_alone(other).holds


def test_an_outside_call_without_a_copy_is_opaque_and_holds() -> None:
    finding = verify_alone(external_call("{}", keep_body=False))
    assert (finding.verdict, finding.holds) == (OPAQUE, True)


def test_a_call_that_its_conversation_does_not_name_does_not_hold() -> None:
    _, calls = talk(1)
    finding = verify_alone(calls[0])
    assert (finding.verdict, finding.holds) == (MISMATCH, False)
    assert str(CONVERSATION) in finding.detail


def test_a_missing_call_is_named_with_the_event_that_asks_for_it() -> None:
    finding = missing(call_id(1), CONVERSATION, 7)
    assert (finding.verdict, finding.holds, finding.call_id) == (MISSING, False, call_id(1))
    assert finding.detail.startswith(f"Version 7 of conversation {CONVERSATION} asks for it")


@pytest.mark.parametrize("field", ["body_sha256", "body_length"])
def test_a_changed_digest_or_length_is_a_difference(field: str) -> None:
    told, calls = talk(2)
    value: object = "0" * 64 if field == "body_sha256" else 5
    other = twin_of(calls[1], {field: value})
    assert isinstance(other, ModelCallRequested)
    findings = verify_calls(CONVERSATION, prompts_of(told.slices()), [calls[0], other])
    assert [finding.verdict for finding in findings] == [IDENTICAL, MISMATCH]
