"""`manage.py verify prompts` on PostgreSQL: what holds is proven, and whatever was changed behind our back is named."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from backend.domain import events as e
from backend.event_store.mapper import VerbatimMapper
from tests.integration.commands.support import Told, remove, rewrite, store, verify
from tests.integration.projections.stories import put, told_in_memory
from tests.integration.projections.talk import Talk
from tests.support.external_calls import external_call


def calls_of(talk: Talk) -> list[UUID]:
    return [call_id for call_id, _ in talk.story.calls]


def versions_of(talk: Talk, kind: type[e.VerbatimEvent]) -> list[int]:
    """At which versions of the conversation's stream such events stand."""
    events = talk.store.read_history(talk.id)[-1].events
    return [event.originator_version for event in events if isinstance(event, kind)]


@pytest.fixture
def talk(fresh_database: str) -> Talk:
    """Four turns of one conversation, stored."""
    told = Talk()
    for word in ("one", "two", "three", "four"):
        told.say(f"Question {word}")
        told.reply(f"Answer {word}")
    store(told, fresh_database)
    return told


def only(told: Told, *calls: UUID) -> None:
    """Exactly these calls were found to differ, in this order."""
    assert told.status == 1
    assert told.calls == list(calls)


# ---- what holds -----------------------------------------------------------------------------


def test_an_empty_store_holds(fresh_database: str) -> None:
    told = verify("--all")
    assert (told.status, told.lines) == (0, [])
    assert told.summary.startswith("0 prompts: 0 identical. ")


def test_what_was_recorded_is_identical(talk: Talk) -> None:
    told = verify("--all")
    assert (told.status, told.lines) == (0, [])
    assert told.summary.startswith("4 prompts: 4 identical. ")
    assert told.summary.endswith(" calls/s.")


@pytest.mark.parametrize("seed", [3, 5])
def test_random_histories_with_forks_replays_cuts_and_continued_replies_are_identical(
    fresh_database: str, seed: int
) -> None:
    events = told_in_memory(seed, steps=1500)
    requests = [found.event for found in events if isinstance(found.event, e.ModelCallRequested)]
    asked = [found.event for found in events if isinstance(found.event, e.ReplyRequested)]
    origins = [found.event.forked_from for found in events if isinstance(found.event, e.ConversationStarted)]
    assert any(request.prompt_request.trimming for request in requests)
    assert any(reply.continues for reply in asked)
    assert any(reply.replay for reply in asked)
    assert any(origins)
    put(events, fresh_database)
    told = verify("--all")
    assert (told.status, told.lines) == (0, [])
    assert told.summary.startswith(f"{len(requests):,} prompts: {len(requests):,} identical. ")


def test_one_conversation_or_one_call_can_be_verified_alone(fresh_database: str) -> None:
    talk = Talk()
    talk.say("Here")
    reply_id = talk.reply("Yes")
    fork = talk.fork(reply_id)
    fork.say("There")
    fork.reply("Too")
    store(talk, fresh_database)
    assert verify("--conversation", str(fork.id)).summary.startswith("1 prompts: 1 identical. ")
    assert verify("--call", str(calls_of(talk)[0])).summary.startswith("1 prompts: 1 identical. ")
    rewrite(fresh_database, talk.id, versions_of(talk, e.UserMessageSent)[0], "Here", "Hare")
    assert verify("--conversation", str(fork.id)).calls == [calls_of(talk)[1]]
    assert verify("--call", str(calls_of(talk)[0])).calls == [calls_of(talk)[0]]


def test_events_of_an_old_shape_are_verified_as_well(fresh_database: str, talk: Talk) -> None:
    with psycopg.connect(fresh_database) as connection:
        connection.execute("ALTER TABLE events DISABLE TRIGGER USER")
        changed = connection.execute(
            "UPDATE events SET topic = 'ReplyRequested.v1',"
            " state = convert_to((convert_from(state, 'UTF8')::jsonb - 'replay')::text, 'UTF8') WHERE topic = %s",
            (e.ReplyRequested.TOPIC,),
        )
        assert changed.rowcount == 4
    assert verify("--all").summary.startswith("4 prompts: 4 identical. ")
    rewrite(fresh_database, talk.id, versions_of(talk, e.UserMessageSent)[2], "three", "3")
    only(verify("--all"), *calls_of(talk)[2:])


def test_a_call_of_an_outside_program_is_compared_with_its_own_copy_if_there_is_one(
    fresh_database: str,
) -> None:
    copied = external_call('{"messages":[{"content":"Hi","role":"user"}],"model":"a"}')
    insert(fresh_database, copied, external_call("{}", keep_body=False))
    told = verify("--all")
    assert (told.status, told.lines) == (0, []), "having nothing to compare with is no difference"
    assert told.summary.startswith("2 prompts: 1 identical, 1 opaque. ")
    rewrite(fresh_database, copied.originator_id, 1, "Hi", "Ho")
    told = verify("--all")
    only(told, copied.originator_id)
    assert (
        "The stored copy of the client's request is not the one whose digest was recorded." in told.lines[0]
    )


# ---- what was changed -----------------------------------------------------------------------


def test_a_changed_user_message_is_named_with_the_events_among_which_it_lies(
    fresh_database: str, talk: Talk
) -> None:
    version = versions_of(talk, e.UserMessageSent)[2]
    rewrite(fresh_database, talk.id, version, "Question three", "Question 3")
    told = verify("--all")
    only(told, *calls_of(talk)[2:])
    assert told.summary.startswith("4 prompts: 2 identical, 2 different. ")
    first = told.lines[0]
    assert first.startswith(f"mismatch: call {calls_of(talk)[2]}. recorded ")
    reply = versions_of(talk, e.ReplyRecorded)[1]
    assert f"events {reply} to {version} of stream {talk.id}" in first
    assert f"proven by call {calls_of(talk)[1]}" in first


def test_a_changed_reply_is_found_by_the_prompts_after_it(fresh_database: str, talk: Talk) -> None:
    version = versions_of(talk, e.ReplyRecorded)[0]
    rewrite(fresh_database, talk.id, version, "Answer one", "Answer 1")
    told = verify("--all")
    only(told, *calls_of(talk)[1:])
    assert f"events {version} to " in told.lines[0]


def test_a_changed_system_prompt_is_found_and_not_blamed_on_messages_alone(
    fresh_database: str, talk: Talk
) -> None:
    rewrite(fresh_database, talk.id, versions_of(talk, e.SystemPromptChanged)[0], "Be kind.", "Be rude.")
    told = verify("--all")
    only(told, *calls_of(talk))
    assert "at byte 0 or later, in the system prompt" in told.lines[0]


@pytest.mark.parametrize(
    ("old", "new"), [('"params":{}', '"params":{"temperature":"0.5"}'), ('"model":"small"', '"model":"big"')]
)
def test_changed_parameters_of_one_call_are_blamed_on_that_call(
    fresh_database: str, talk: Talk, old: str, new: str
) -> None:
    call_id = calls_of(talk)[2]
    rewrite(fresh_database, call_id, 1, old, new)
    told = verify("--all")
    only(told, call_id)
    assert f"the model, the parameters and the digest in event 1 of stream {call_id}" in told.lines[0]


def test_a_changed_digest_is_found(fresh_database: str, talk: Talk) -> None:
    call_id = calls_of(talk)[1]
    recorded = talk.store.read_call(call_id).body_sha256
    rewrite(fresh_database, call_id, 1, recorded, "0" * 64)
    told = verify("--all")
    only(told, call_id)
    assert f"recorded {'0' * 64}, rebuilt {recorded}. " in told.lines[0]


def test_a_change_is_found_in_the_forks_that_inherit_it_too(fresh_database: str) -> None:
    talk = Talk()
    talk.say("Question one")
    reply_id = talk.reply("Answer one")
    fork = talk.fork(reply_id)
    fork.say("Question two")
    fork_of_fork = fork.fork(fork.reply("Answer two"))
    fork_of_fork.say("Question three")
    fork_of_fork.reply("Answer three")
    store(talk, fresh_database)
    assert verify("--all").summary.startswith("3 prompts: 3 identical. ")
    rewrite(fresh_database, talk.id, versions_of(talk, e.ReplyRecorded)[0], "Answer one", "Answer 1")
    told = verify("--all")
    only(told, *calls_of(talk)[1:])
    assert "what the conversation inherits" in told.lines[0]


def test_a_fork_at_the_end_of_a_very_long_chain_is_verified(fresh_database: str) -> None:
    talk = Talk()
    talk.say("Question one")
    reply_id = talk.reply("Answer one")
    fork = talk
    for _ in range(600):
        fork = fork.fork(reply_id)
    fork.say("Question two")
    fork.reply("Answer two")
    store(talk, fresh_database)
    assert verify("--conversation", str(fork.id)).summary.startswith("1 prompts: 1 identical. ")


def test_a_changed_message_that_was_not_sent_any_more_harms_no_later_call(fresh_database: str) -> None:
    talk = Talk()
    for number in range(6):
        talk.say(f"Question {number} {'x' * 300}", model="tight")
        talk.reply(f"Answer {number} {'x' * 300}")
    last = talk.store.read_call(calls_of(talk)[-1]).prompt_request
    assert last.trimming is not None
    assert last.trimming.omitted_count > 1
    store(talk, fresh_database)
    assert verify("--all").status == 0
    rewrite(fresh_database, talk.id, versions_of(talk, e.UserMessageSent)[0], "Question 0", "Question _")
    told = verify("--all")
    assert told.status == 1
    assert calls_of(talk)[0] in told.calls
    assert calls_of(talk)[-1] not in told.calls
    rewrite(fresh_database, talk.id, versions_of(talk, e.UserMessageSent)[-1], "Question 5", "Question _")
    assert calls_of(talk)[-1] in verify("--all").calls


def test_a_changed_cut_is_found(fresh_database: str) -> None:
    talk = Talk()
    for number in range(6):
        talk.say(f"Question {number} {'x' * 300}", model="tight")
        talk.reply(f"Answer {number} {'x' * 300}")
    store(talk, fresh_database)
    call_id = calls_of(talk)[-1]
    trimming = talk.store.read_call(call_id).prompt_request.trimming
    assert trimming is not None
    stranger = UUID(int=5)
    kept = f'"first_kept_message_id":"{trimming.first_kept_message_id}"'
    rewrite(fresh_database, call_id, 1, kept, f'"first_kept_message_id":"{stranger}"')
    told = verify("--all")
    only(told, call_id)
    assert f"Message {stranger}, the first one kept, is not on the branch that was sent." in told.lines[0]


# ---- what is gone, or cannot be read --------------------------------------------------------


def test_a_call_whose_events_are_gone_is_named(fresh_database: str, talk: Talk) -> None:
    call_id = calls_of(talk)[1]
    remove(fresh_database, call_id, 1)
    told = verify("--all")
    only(told, call_id)
    assert told.summary.startswith("4 prompts: 3 identical, 1 missing. ")
    asked = versions_of(talk, e.ReplyRequested)[1]
    assert told.lines[0].startswith(f"missing: call {call_id}. Version {asked} of conversation {talk.id} ")


def test_a_call_that_no_reply_names_any_more_is_named(fresh_database: str, talk: Talk) -> None:
    # The last reply, its request and its record, disappear as if the turn had ended with the question.
    remove(fresh_database, talk.id, versions_of(talk, e.ReplyRecorded)[-1])
    remove(fresh_database, talk.id, versions_of(talk, e.ReplyRequested)[-1])
    told = verify("--all")
    only(told, calls_of(talk)[-1])
    assert f"No reply of conversation {talk.id} names it." in told.lines[0]


@pytest.mark.parametrize("kind", [e.ConversationStarted, e.UserMessageSent, e.ReplyRequested])
def test_a_conversation_with_an_event_missing_is_named_and_the_others_are_verified(
    fresh_database: str, talk: Talk, kind: type[e.VerbatimEvent]
) -> None:
    elsewhere = another(talk, fresh_database)
    remove(fresh_database, talk.id, versions_of(talk, kind)[0])
    told = verify("--all")
    assert told.status == 1
    assert any(str(talk.id) in line for line in told.lines)
    assert elsewhere not in told.calls
    assert " 1 identical" in told.summary


def test_an_event_that_cannot_be_read_is_named_once_and_the_others_are_verified(
    fresh_database: str, talk: Talk
) -> None:
    another(talk, fresh_database)
    version = versions_of(talk, e.UserMessageSent)[0]
    rewrite(fresh_database, talk.id, version, '"content"', '"contents"')
    told = verify("--all")
    assert told.status == 1
    assert told.calls == []
    (line,) = told.lines
    assert line.startswith(f"unreadable: conversation {talk.id}: ")
    assert "UserMessageSent" in line
    assert "contents" in line
    assert told.summary.startswith("1 prompts: 1 identical, 1 unreadable. ")
    with pytest.raises(CommandError, match="contents"):
        verify("--conversation", str(talk.id))


def test_a_call_that_cannot_be_read_is_named_and_all_others_are_verified(
    fresh_database: str, talk: Talk
) -> None:
    call_id = calls_of(talk)[1]
    outside = external_call("{}")
    insert(fresh_database, outside)
    rewrite(fresh_database, call_id, 1, '"body_sha256"', '"digest"')
    told = verify("--all")
    assert told.status == 1
    assert told.calls == []
    (line,) = told.lines
    assert str(call_id) in line
    assert line.startswith("unreadable: ")
    assert told.summary.startswith("4 prompts: 4 identical, 1 unreadable. ")


def test_messages_that_hang_below_each_other_in_a_circle_end_in_a_finding(
    fresh_database: str, talk: Talk
) -> None:
    message_id = versions_of(talk, e.UserMessageSent)[0]
    events = talk.store.read_history(talk.id)[-1].events
    last = [event.reply_id for event in events if isinstance(event, e.ReplyRequested)][-1]
    rewrite(fresh_database, talk.id, message_id, '"parent_id":null', f'"parent_id":"{last}"')
    told = verify("--all")
    only(told, *calls_of(talk))
    assert all("hang below each other in a circle" in line for line in told.lines)


# ---- how it is asked ------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["--conversation", "--call"])
def test_what_does_not_exist_is_refused_by_name(fresh_database: str, what: str) -> None:
    unknown = UUID(int=7)
    with pytest.raises(CommandError, match=str(unknown)):
        verify(what, str(unknown))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--call", "x"], "invalid UUID value: 'x'"),
        ([], "Add --all, --conversation ID or --call ID"),
        (["--all", "--call", str(UUID(int=7))], "not allowed with argument"),
    ],
)
def test_another_question_is_refused(fresh_database: str, arguments: list[str], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        call_command("verify", "prompts", *arguments)


def test_tables_that_are_not_there_are_told_in_one_line(empty_database: str) -> None:
    with (
        override_settings(DATABASE_URL=empty_database),
        pytest.raises(CommandError, match=r"Run `manage.py migrate`"),
    ):
        verify("--all")


def another(talk: Talk, database_url: str) -> UUID:
    """A second conversation with one turn, stored; the turn's call."""
    end = talk.store.end()
    told = Talk(beside=talk, conversation_id=talk.story.start(talk.owner, "Elsewhere"))
    told.say("Elsewhere")
    told.reply("Here")
    put(told.store.read_after(end, told.store.end()), database_url)
    return calls_of(told)[-1]


def insert(database_url: str, *events: e.VerbatimEvent) -> None:
    mapper = VerbatimMapper()
    with psycopg.connect(database_url) as connection:
        for event in events:
            stored = mapper.to_stored_event(event)
            connection.execute(
                "INSERT INTO events (originator_id, originator_version, topic, state) VALUES (%s, %s, %s, %s)",
                (stored.originator_id, stored.originator_version, stored.topic, stored.state),
            )
