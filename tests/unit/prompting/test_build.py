"""What a model is sent: which messages, joined how, with which settings, as of which version."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.prompt_request import Trimming
from backend.prompting.build import CannotRebuildPrompt, StreamSlice
from backend.prompting.canonical import canonical_bytes, sha256_hex
from tests.support.facts import fact, message_id
from tests.support.histories import MODEL, SYSTEM, Told
from tests.support.histories import build_both as build_prompt

FORK = UUID("c0000000-0000-4000-8000-00000000000f")
FORK_OF_FORK = UUID("c0000000-0000-4000-8000-0000000000ff")


def sent(told: Told, **request: Any) -> list[tuple[str, str]]:
    """The messages of the built prompt, which must be those of its body."""
    prompt = build_prompt(told.slices(), told.request(**request))
    body = json.loads(prompt.body)
    assert body["messages"] == list(prompt.messages)
    assert canonical_bytes(body) == prompt.body
    assert prompt.body_sha256 == sha256_hex(prompt.body)
    return [(message["role"], message["content"]) for message in prompt.messages]


def trimming(first_kept: int, omitted: int = 0) -> Trimming:
    return Trimming("cut-to-60-percent", 1, message_id(first_kept), omitted, 900, 1000)


def test_the_whole_body_is_exactly_this() -> None:
    told = Told().user("Hi")
    prompt = build_prompt(told.slices(), told.request(params={"temperature": "0.7", "seed": "42"}))
    assert prompt.body == (
        b'{"messages":[{"content":"You are a helpful assistant.","role":"system"},{"content":"Hi","role":"user"}],'
        b'"model":"smollm2-135m-instruct","seed":42,"stream":true,"stream_options":{"include_usage":true},'
        b'"temperature":0.7}'
    )


def test_the_path_from_the_root_to_the_leaf_is_sent_in_order() -> None:
    told = Told().user("One").reply("Two").user("Three")
    assert sent(told) == [("system", SYSTEM), ("user", "One"), ("assistant", "Two"), ("user", "Three")]


def test_siblings_are_not_sent() -> None:
    told = Told().user("One").reply("Two").reply("Two again", below=1).user("Three")
    assert sent(told)[1:] == [("user", "One"), ("assistant", "Two again"), ("user", "Three")]
    assert sent(told, leaf=2)[1:] == [("user", "One"), ("assistant", "Two")]


def test_an_empty_system_prompt_is_sent_as_an_empty_system_message() -> None:
    assert sent(Told(system_prompt="").user("Hi")) == [("system", ""), ("user", "Hi")]


def test_without_a_leaf_only_the_system_message_is_sent() -> None:
    assert sent(Told()) == [("system", SYSTEM)]


def test_the_latest_system_prompt_counts_as_of_the_version() -> None:
    told = Told(system_prompt="Old.").user("Hi")
    earlier = told.request()
    told.system("New.")
    assert sent(told)[0] == ("system", "New.")
    assert build_prompt(told.slices(), earlier).messages[0]["content"] == "Old."


def test_an_override_takes_the_place_of_the_system_prompt_also_when_empty() -> None:
    told = Told().user("Hi")
    assert sent(told, system_prompt="Be a pirate.")[0] == ("system", "Be a pirate.")
    assert sent(told, system_prompt="")[0] == ("system", "")


@pytest.mark.parametrize(
    "outcome", [outcomes.FAILED, outcomes.CANCELLED, outcomes.INTERRUPTED, outcomes.COMPLETE]
)
def test_a_reply_without_content_is_left_out_and_its_neighbours_are_joined(outcome: str) -> None:
    told = Told().user("One").reply("", outcome).user("Two")
    assert sent(told)[1:] == [("user", "One\n\nTwo")]


def test_many_users_in_a_row_are_joined_with_blank_lines() -> None:
    told = (
        Told().user("One").reply("", outcomes.FAILED).user("Two").reply("", outcomes.CANCELLED).user("Three")
    )
    assert sent(told)[1:] == [("user", "One\n\nTwo\n\nThree")]


def test_users_directly_below_users_are_joined_too() -> None:
    assert sent(Told().user("One").user("Two"))[1:] == [("user", "One\n\nTwo")]


def test_a_pending_reply_on_the_path_is_left_out() -> None:
    assert sent(Told().user("One").asks())[1:] == [("user", "One")]


@pytest.mark.parametrize(
    "outcome", [outcomes.INTERRUPTED, outcomes.CANCELLED, outcomes.TRUNCATED, outcomes.FAILED]
)
def test_a_partial_reply_is_sent_as_it_stands(outcome: str) -> None:
    told = Told().user("One").reply("The answer is ", outcome).user("Go on")
    assert sent(told)[1:] == [("user", "One"), ("assistant", "The answer is "), ("user", "Go on")]


def test_a_reply_of_white_space_is_content() -> None:
    assert sent(Told().user("One").reply(" ").user("Two"))[2] == ("assistant", " ")


def test_a_continuation_is_joined_without_a_separator() -> None:
    told = Told().user("Count").reply("One, t", outcomes.TRUNCATED).reply("wo, three.", continues=True)
    assert sent(told)[1:] == [("user", "Count"), ("assistant", "One, two, three.")]


def test_a_continuation_of_a_continuation_is_joined_too() -> None:
    told = Told().user("Count").reply("a", outcomes.TRUNCATED).reply("b", outcomes.TRUNCATED, continues=True)
    assert sent(told.reply("c", continues=True))[1:] == [("user", "Count"), ("assistant", "abc")]


def test_a_continuation_of_nothing_stands_alone() -> None:
    told = Told().user("Count").reply("", outcomes.INTERRUPTED).reply("One", continues=True)
    assert sent(told)[1:] == [("user", "Count"), ("assistant", "One")]


def test_two_replies_in_a_row_that_do_not_continue_are_joined_with_a_blank_line() -> None:
    assert sent(Told().user("Count").reply("One").reply("Two"))[1:] == [
        ("user", "Count"),
        ("assistant", "One\n\nTwo"),
    ]


def test_what_came_after_the_recorded_version_is_not_looked_at() -> None:
    told = Told().user("One").asks()
    request = told.request(leaf=1)
    before = build_prompt(told.slices(), request)
    told.add(fact(e.ConversationRenamed, title="Later")).system("Later.").user("Later", below=1)
    assert build_prompt(told.slices(), request) == before


def test_a_fork_inherits_the_path_and_the_settings_of_its_source() -> None:
    source = Told(system_prompt="Source.").user("One").reply("Two")
    fork = Told(conversation_id=FORK, system_prompt="Fork.", source=source, first_number=10).user("Three")
    assert sent(fork) == [("system", "Fork."), ("user", "One"), ("assistant", "Two"), ("user", "Three")]


def test_a_fork_of_a_fork_goes_back_to_the_first_root() -> None:
    root = Told().user("One").reply("Two")
    middle = Told(conversation_id=FORK, source=root, first_number=10).user("Three").reply("Four")
    last = Told(conversation_id=FORK_OF_FORK, source=middle, first_number=20).user("Five")
    assert [content for _, content in sent(last)[1:]] == ["One", "Two", "Three", "Four", "Five"]


def test_what_the_source_says_after_the_fork_changes_nothing() -> None:
    source = Told().user("One").reply("Two")
    fork = Told(conversation_id=FORK, source=source, first_number=10).user("Three")
    before = build_prompt(fork.slices(), fork.request())
    source.system("Later.").user("Later")
    assert build_prompt(fork.slices(), fork.request()) == before


def test_an_inherited_message_can_be_answered_anew_in_the_fork() -> None:
    source = Told().user("One").reply("Two").user("Three").reply("Four")
    fork = Told(conversation_id=FORK, source=source, first_number=10).user("Else", below=2)
    assert [content for _, content in sent(fork)[1:]] == ["One", "Two", "Else"]


def test_trimming_leaves_out_what_is_before_the_first_kept_message() -> None:
    told = Told().user("One").reply("Two").user("Three").reply("Four").user("Five")
    assert sent(told, trimming=trimming(3, 2)) == [
        ("system", SYSTEM),
        ("user", "Three"),
        ("assistant", "Four"),
        ("user", "Five"),
    ]
    assert sent(told, trimming=trimming(1)) == sent(told)


def test_trimming_to_a_message_of_another_branch_is_named() -> None:
    told = Told().user("One").reply("Two").reply("Else", below=1).user("Three")
    with pytest.raises(CannotRebuildPrompt, match=str(message_id(2))):
        build_prompt(told.slices(), told.request(trimming=trimming(2)))


def test_parameters_become_json_numbers_and_stop_stays_a_list() -> None:
    params: dict[str, Any] = {
        "temperature": "0.1",
        "top_p": "1",
        "min_p": "0.0000001",
        "presence_penalty": "-2",
        "max_tokens": "16",
        "top_k": "0",
        "seed": "-9007199254740992",
        "stop": ["\n", "END"],
    }
    told = Told().user("Hi")
    body = build_prompt(told.slices(), told.request(params=params)).body
    for text in (
        b'"temperature":0.1,',
        b'"top_p":1}',
        b'"min_p":1e-7,',
        b'"presence_penalty":-2,',
        b'"max_tokens":16,',
        b'"top_k":0,',
        b'"seed":-9007199254740992,',
        b'"stop":["\\n","END"],',
    ):
        assert text in body


def test_parameters_cannot_take_the_place_of_the_bodys_own_fields() -> None:
    told = Told().user("Hi")
    body = json.loads(build_prompt(told.slices(), told.request(params={"seed": "1"})).body)
    assert sorted(body) == ["messages", "model", "seed", "stream", "stream_options"]
    assert (body["model"], body["stream"]) == (MODEL, True)


@pytest.mark.parametrize("change", [{"builder": "chat/9"}, {"serializer": "jcs-rfc8785/9"}])
def test_an_unknown_builder_is_named_with_the_known_ones(change: dict[str, Any]) -> None:
    told = Told().user("Hi")
    with pytest.raises(CannotRebuildPrompt, match=r"/9.*chat/1 with jcs-rfc8785/1") as caught:
        build_prompt(told.slices(), told.request(**change))
    assert caught.value.code == "prompt_not_rebuildable"


def test_an_unknown_leaf_is_named() -> None:
    told = Told().user("Hi")
    with pytest.raises(CannotRebuildPrompt, match=str(message_id(9))):
        build_prompt(told.slices(), told.request(leaf=9))


def test_a_leaf_that_came_after_the_recorded_version_is_not_there_yet() -> None:
    told = Told().user("One").user("Two")
    with pytest.raises(CannotRebuildPrompt):
        build_prompt(told.slices(), told.request(version=told.version - 1))


def test_a_missing_ancestor_is_named() -> None:
    source = Told().user("One")
    fork = Told(conversation_id=FORK, source=source, first_number=10).user("Two")
    with pytest.raises(CannotRebuildPrompt, match=str(message_id(1))):
        build_prompt(fork.slices()[1:], fork.request())


def test_a_thousand_messages_take_ten_times_the_work_of_a_hundred() -> None:
    """Counts calls of functions, ours and Python's own, since time on a busy machine proves nothing."""
    hundred, thousand = calls_made_for(100), calls_made_for(1000)
    assert thousand < 10.5 * hundred


def calls_made_for(messages: int) -> int:
    told = Told()
    for number in range(messages // 2):
        told.user(f"Question {number}").reply(f"Answer {number}")
    slices, request = told.slices(), told.request()
    count = 0

    def counted(frame: object, kind: str, argument: object) -> None:
        nonlocal count
        count += kind in ("call", "c_call")

    sys.setprofile(counted)
    try:
        prompt = build_prompt(slices, request)
    finally:
        sys.setprofile(None)
    assert len(prompt.messages) == messages + 1
    return count


CONTENTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=6)
STEPS = st.lists(st.tuples(st.booleans(), CONTENTS, st.integers(0, 30)), max_size=20)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_any_tree_gives_alternating_roles_and_the_same_bytes_again(
    steps: list[tuple[bool, str, int]],
) -> None:
    told = Told()
    users: list[int] = []
    for is_reply, content, choice in steps:
        if is_reply and users:
            told.reply(content, below=users[choice % len(users)])
        else:
            told.user(content or "x", below=None if told.leaf is None else 1 + choice % told.leaf)
            assert told.leaf is not None
            users.append(told.leaf)
    slices, request = told.slices(), told.request()
    prompt = build_prompt(slices, request)
    roles = [message["role"] for message in prompt.messages]
    assert roles[0] == "system"
    assert all(one != other for one, other in pairwise(roles))
    copied = [StreamSlice(one.conversation_id, tuple(one.events)) for one in slices]
    assert build_prompt(copied, request) == prompt
