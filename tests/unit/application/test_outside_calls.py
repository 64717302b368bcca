"""Calls of programs: which conversation each goes to, and what is remembered of it."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from backend.application.conversations import Conversations
from backend.application.history import prompt_to_send, rebuild_prompt
from backend.audit.verify import IDENTICAL, MISMATCH, verify_alone
from backend.domain import events as e
from backend.event_store.memory import InMemoryEventStore
from tests.support.core import Core, message_of
from tests.support.facts import STRANGER
from tests.support.programs import WORKER, Message, Program, system, user

TOOL_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


@pytest.fixture
def store() -> InMemoryEventStore:
    return InMemoryEventStore()


@pytest.fixture
def core(store: InMemoryEventStore) -> Core:
    return Core(store)


@pytest.fixture
def program(core: Core, store: InMemoryEventStore) -> Program:
    return Program(core, store)


def tree_of(core: Core, conversation_id: UUID) -> list[tuple[str, int | None]]:
    """Each message's role and the place of the message above it, in the order in which they came."""
    nodes = list(core.conversation(conversation_id).nodes.values())
    places = {node.message_id: place for place, node in enumerate(nodes)}
    return [(node.role, None if node.parent_id is None else places[node.parent_id]) for node in nodes]


def test_a_first_call_begins_a_conversation_with_its_system_prompt_as_a_setting(
    core: Core, program: Program
) -> None:
    answered = program.ask([system("Be brief."), user("Why is the sky blue?")], temperature=0.5, seed=7)

    assert core.topics(answered.conversation_id) == [
        "ConversationStarted",
        "SystemPromptChanged",
        "ModelSettingsChanged",
        "MessageImported",
        "ReplyRequested",
        "ReplyRecorded",
    ]
    conversation = core.conversation(answered.conversation_id)
    assert conversation.title == "Why is the sky blue?"
    assert conversation.settings.system_prompt == "Be brief."
    assert conversation.settings.params == {"temperature": "0.5", "seed": "7"}
    assert conversation.selected_leaf_id == answered.reply_id
    assert tree_of(core, answered.conversation_id) == [("user", None), ("assistant", 0)]


def test_the_call_keeps_the_clients_bytes_and_starts_in_the_commit_that_requests_it(
    core: Core, program: Program
) -> None:
    command, answer = program.request([user("Hi")], unheard_of={"deep": [1, None]})

    assert core.topics(command.call_id) == ["ModelCallRequested", "ModelCallStarted"]
    (requested,) = core.payloads(command.call_id, "ModelCallRequested")
    assert (requested["purpose"], requested["source"]) == ("external", "openai")
    assert requested["prompt_request"]["raw_body"] == command.raw_body
    assert requested["body_sha256"] == hashlib.sha256(command.raw_body.encode()).hexdigest()
    assert answer.call.open_attempt == 1


def test_a_call_with_a_reply_of_ours_goes_on_in_its_conversation(core: Core, program: Program) -> None:
    first = program.ask([system("S"), user("One")], "1")
    second = program.ask([system("S"), user("One"), first.message, user("Two")], "2")
    third = program.ask([system("S"), user("One"), first.message, user("Two"), second.message, user("3")])

    assert first.conversation_id == second.conversation_id == third.conversation_id
    assert tree_of(core, first.conversation_id) == [
        ("user", None),
        ("assistant", 0),
        ("user", 1),
        ("assistant", 2),
        ("user", 3),
        ("assistant", 4),
    ]


def test_going_on_from_an_earlier_reply_makes_a_branch(core: Core, program: Program) -> None:
    first = program.ask([user("One")], "1")
    program.ask([user("One"), first.message, user("Two")], "2")
    other = program.ask([user("One"), first.message, user("Another two")], "2b")

    assert other.conversation_id == first.conversation_id
    assert tree_of(core, first.conversation_id)[-2:] == [("user", 1), ("assistant", 4)]


def test_asking_the_same_again_makes_another_reply_to_the_same_message(core: Core, program: Program) -> None:
    first = program.ask([user("One")], "1")
    messages = [user("One"), first.message, user("Two")]
    program.ask(messages, "2")
    program.ask(messages, "2, again")

    assert tree_of(core, first.conversation_id) == [
        ("user", None),
        ("assistant", 0),
        ("user", 1),
        ("assistant", 2),
        ("assistant", 2),
    ]


def test_a_reply_that_was_written_in_the_browser_is_gone_on_from(core: Core, program: Program) -> None:
    conversation_id = core.start(system_prompt="Elsewhere another one.")
    core.turn(conversation_id, "Hi", "Hello there")
    core.turn(conversation_id, "And?", "So.")
    replies: list[Message] = [
        {"role": "assistant", "content": [{"type": "text", "text": "Hello there"}]},
        {"role": "assistant", "content": "So.", "refusal": None, "annotations": []},
    ]

    answered = program.ask([user("Hi"), replies[0], user("And?"), replies[1], user("More")])

    assert answered.conversation_id == conversation_id
    assert tree_of(core, conversation_id)[-2:] == [("user", 3), ("assistant", 4)]


def test_a_continued_reply_is_found_as_the_one_message_that_it_is(core: Core, program: Program) -> None:
    conversation_id = core.start()
    sent = core.send(conversation_id, "Count")
    core.answer(sent, "one two", outcome="interrupted")
    core.answer(core.continue_reply(conversation_id, sent.reply_id), " three")

    joined = {"role": "assistant", "content": "one two three"}
    assert program.ask([user("Count"), joined, user("On")]).conversation_id == conversation_id


def test_a_fork_is_found_by_what_was_said_in_it(core: Core, program: Program) -> None:
    conversation_id = core.start()
    sent = core.turn(conversation_id, "Hi", "Hello")
    fork_id = core.fork(conversation_id, sent.reply_id)
    core.turn(fork_id, "In the fork", "Yes")

    messages = [user("Hi"), {"role": "assistant", "content": "Hello"}, user("In the fork")]
    answered = program.ask([*messages, {"role": "assistant", "content": "Yes"}, user("On")])
    assert answered.conversation_id == fork_id


@pytest.mark.parametrize(
    "changed",
    [
        [user("One!"), {"role": "assistant", "content": "1"}, user("Two")],
        [user("One"), {"role": "assistant", "content": "1 "}, user("Two")],
        [user("One"), user("Two")],
        [{"role": "assistant", "content": "1"}, user("Two")],
    ],
)
def test_anything_changed_before_the_reply_begins_a_new_conversation(
    core: Core, program: Program, changed: list[Message]
) -> None:
    first = program.ask([user("One")], "1")
    assert program.ask(changed).conversation_id != first.conversation_id


def test_a_reply_of_somebody_else_is_never_joined(store: InMemoryEventStore, program: Program) -> None:
    first = program.ask([user("One")], "1")
    stranger = Program(Core(store, owner_id=STRANGER, ids=_Ids()), store)
    assert stranger.ask([user("One"), first.message, user("Two")]).conversation_id != first.conversation_id


def test_a_deleted_conversation_is_passed_by(core: Core, program: Program) -> None:
    first = program.ask([user("One")], "1")
    core.delete(first.conversation_id)
    second = program.ask([user("One"), first.message, user("Two")])
    assert second.conversation_id != first.conversation_id
    assert tree_of(core, second.conversation_id)[1] == ("assistant", 0)


def test_tools_are_followed_call_by_call(core: Core, program: Program) -> None:
    result = {"role": "tool", "tool_call_id": "c1", "content": "42"}
    first = program.ask([user("What is f(1)?")], "", tool_calls=(TOOL_CALL,))
    asked_back = {**first.message, "tool_calls": [{**TOOL_CALL, "index": 0}]}
    second = program.ask([user("What is f(1)?"), asked_back, result], "It is 42.")

    assert second.conversation_id == first.conversation_id
    assert tree_of(core, first.conversation_id) == [
        ("user", None),
        ("assistant", 0),
        ("tool", 1),
        ("assistant", 2),
    ]
    (imported,) = core.payloads(first.conversation_id, "MessageImported")[1:]
    assert imported["content"] == [
        {"type": "text", "text": "42"},
        {"type": "tool_call_id", "tool_call_id": "c1"},
    ]


def test_a_list_that_ends_with_a_reply_gets_a_reply_below_it(core: Core, program: Program) -> None:
    first = program.ask([user("One")], "1")
    program.ask([user("One"), first.message], "and more")
    assert tree_of(core, first.conversation_id)[-1] == ("assistant", 1)


def test_only_instructions_are_messages_of_their_own(core: Core, program: Program) -> None:
    answered = program.ask([system("Say something.")])
    assert tree_of(core, answered.conversation_id) == [("system", None), ("assistant", 0)]
    assert core.conversation(answered.conversation_id).settings.system_prompt == ""


def test_a_conversation_can_begin_archived(core: Core, program: Program) -> None:
    answered = program.ask([user("Complete this")], archived=True)
    assert core.conversation(answered.conversation_id).archived


def test_no_title_is_asked_for_but_the_first_words_are_one(store: InMemoryEventStore) -> None:
    core = Core(store, titles=True)
    answered = Program(core, store).ask([user("Why is the sky blue?")])
    assert "TitleRequested" not in core.topics(answered.conversation_id)


def test_the_browser_goes_on_where_the_program_stopped(core: Core, program: Program) -> None:
    parts = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "http://x/y.png"}}]
    answered = program.ask([system("Be brief."), user(parts)], "A cat.")
    sent = core.send(answered.conversation_id, "Sure?")
    assert core.prompt_of(sent.call_id) == [
        ("system", "Be brief."),
        ("user", "Look\n\n[image_url]"),
        ("assistant", "A cat."),
        ("user", "Sure?"),
    ]
    core.answer(sent)
    again = core.regenerate(answered.conversation_id, answered.reply_id)
    assert core.prompt_of(again.call_id)[-1] == ("user", "Look\n\n[image_url]")
    edited = core.edit(answered.conversation_id, message_of(sent), "Really?")
    assert core.prompt_of(edited.call_id)[-1] == ("user", "Really?")


def test_what_was_sent_is_given_back_byte_for_byte(
    core: Core, store: InMemoryEventStore, program: Program
) -> None:
    command, answer = program.request([user("Hi")], temperature=0.1)
    rebuilt = rebuild_prompt(store, answer.call)
    assert rebuilt.identical
    assert rebuilt.prompt.body == command.raw_body.encode()
    assert rebuilt.prompt.messages == (user("Hi"),)
    assert prompt_to_send(Conversations(store), answer.call).identical


def test_another_model_name_is_all_that_may_change_on_the_way(
    store: InMemoryEventStore, program: Program
) -> None:
    command, answer = program.request([user("m")], sent_model="m-large", note="m")
    rebuilt = rebuild_prompt(store, answer.call)
    assert rebuilt.identical
    assert rebuilt.prompt.body == command.raw_body.replace('"model": "m"', '"model": "m-large"').encode()
    assert answer.call.prompt_request.raw_body == command.raw_body


def test_verifying_compares_the_clients_bytes(core: Core, program: Program) -> None:
    command, _ = program.request([user("m")], sent_model="m-large")
    (event,) = [x for x in core.events(command.call_id) if isinstance(x, e.ModelCallRequested)]
    assert verify_alone(event).verdict == IDENTICAL
    for raw_body in (command.raw_body.replace("user", "usar"), "[]", command.raw_body[:-1]):
        assert verify_alone(_with_body(event, raw_body)).verdict == MISMATCH


def test_only_the_process_that_holds_the_connection_gets_the_claim(
    store: InMemoryEventStore, program: Program
) -> None:
    command, _ = program.request([user("Hi")])
    assert (store.queue[command.call_id].worker, store.queue[command.call_id].claim) == (WORKER, 1)
    waiting, _ = program.request([user("Hi")], at_once=False)
    assert store.queue[waiting.call_id].worker is None


def test_cancelling_a_call_that_waits_tells_the_process_that_holds_it(
    core: Core, store: InMemoryEventStore, program: Program
) -> None:
    waiting, answer = program.request([user("Hi")], at_once=False)
    core.cancel(waiting.call_id)
    assert store.announced_cancels == [waiting.call_id]
    assert store.read_call(waiting.call_id).outcome == "cancelled"
    reply = core.conversation(UUID(answer.body["conversation_id"])).nodes[UUID(answer.body["reply_id"])]
    assert reply.outcome == "cancelled"


def test_a_large_body_is_not_kept_in_memory_once_the_call_has_ended(
    store: InMemoryEventStore, program: Program
) -> None:
    answered = program.ask([user("x" * 100_000)])
    conversations = Conversations(store)
    assert conversations.call(answered.call_id) is not conversations.call(answered.call_id)


class _Ids:
    """Never those of another core."""

    def new(self) -> UUID:
        return uuid4()


def _with_body(event: e.ModelCallRequested, raw_body: str) -> e.ModelCallRequested:
    """The event as it would be read after somebody had changed what lies in the store."""
    changed: e.ModelCallRequested = copy.copy(event)
    vars(changed)["prompt_request"] = replace(event.prompt_request, raw_body=raw_body)
    return changed
