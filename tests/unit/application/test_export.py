"""A conversation as a file: every message once, readable where it is Markdown and whole where it is JSON."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from backend.application.export import Exported, as_json, as_markdown, exported
from backend.domain import events as e
from backend.domain import outcomes
from backend.domain.errors import UnknownConversation
from backend.event_store.memory import InMemoryEventStore
from tests.support.core import Core, message_of
from tests.support.facts import OWNER, STRANGER
from tests.support.histories import MODEL, SYSTEM
from tests.support.replays import newest

UNKNOWN = UUID("c0000000-0000-4000-8000-00000000dead")


def export(store: InMemoryEventStore, conversation_id: UUID) -> Exported:
    return exported(store, conversation_id, OWNER)


def markdown(store: InMemoryEventStore, conversation_id: UUID) -> str:
    return as_markdown(export(store, conversation_id))


def told(store: InMemoryEventStore, conversation_id: UUID) -> dict[str, Any]:
    """The JSON as somebody reads it who knows nothing but the file."""
    body: dict[str, Any] = json.loads(json.dumps(as_json(export(store, conversation_id))))
    return body


def headings(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.startswith("#")]


# ---- whose ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("conversation", "owner"), [("mine", STRANGER), ("unknown", OWNER)])
def test_only_ones_own_conversation_is_exported(
    core: Core, store: InMemoryEventStore, conversation: str, owner: UUID
) -> None:
    conversation_id = core.start() if conversation == "mine" else UNKNOWN
    with pytest.raises(UnknownConversation) as refused:
        exported(store, conversation_id, owner)
    assert str(conversation_id) in str(refused.value)


# ---- Markdown -------------------------------------------------------------------------------


def test_a_conversation_without_messages_is_its_head(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start(title="Tea\nand  cake", params={"seed": 3, "stop": ["\n\n", "END"]})
    assert markdown(store, conversation_id) == (
        "# Tea and cake\n\n"
        f"- Conversation: `{conversation_id}`\n"
        "- Version: 3\n"
        f"- Model: {MODEL}\n"
        "- seed: 3\n"
        '- stop: ["\\n\\n", "END"]\n\n'
        "## System prompt\n\n"
        f"> {SYSTEM}\n"
    )


def test_without_a_system_prompt_none_is_told(core: Core, store: InMemoryEventStore) -> None:
    assert "System prompt" not in markdown(store, core.start(system_prompt=""))


def test_every_branch_is_told_from_where_it_differs_the_selected_one_first(
    core: Core, store: InMemoryEventStore
) -> None:
    conversation_id = core.start(title="Tea")
    first = core.turn(conversation_id, "One", "Two")
    third = core.turn(conversation_id, "Three", "Four")
    again = core.regenerate(conversation_id, third.reply_id)
    core.answer(again, "Four again")
    root = core.turn(conversation_id, "Another beginning", "Its answer", parent_id=None)
    core.select(conversation_id, again.reply_id)
    core.hide(conversation_id, root.reply_id)
    text = markdown(store, conversation_id)
    assert headings(text) == [
        "# Tea",
        "## System prompt",
        "## 1. You",
        f"## 2. {MODEL}",
        "## 3. You",
        f"## 4. {MODEL}",
        "# Branch 2, from message 4 on",
        f"## 4. {MODEL}",
        "# Branch 3, from the first message on, hidden",
        "## 1. You",
        f"## 2. {MODEL}",
    ]
    places = [text.index(f"\n{said}\n") for said in ("One", "Two", "Three", "Four again", "Four")]
    assert places == sorted(places)
    assert text.count("\nOne\n") == 1
    assert first.reply_id != again.reply_id


def test_how_a_reply_ended_is_told_where_it_did_not_end_well(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start()
    sent = core.send(conversation_id, "Hi")
    claim = core.claim(sent.call_id)
    core.begin(sent.call_id, claim)
    error = e.ReplyError("runner_error", "It broke\nin two.")
    core.record(sent.call_id, claim, "Half", outcomes.FAILED, error=error)
    text = markdown(store, conversation_id)
    assert " · failed*\n\nHalf\n" in text
    assert text.endswith("> It broke\n> in two.\n")
    waiting = core.regenerate(conversation_id, sent.reply_id)
    assert " · pending*\n" in markdown(store, conversation_id)
    core.answer(waiting, "Whole")
    assert markdown(store, conversation_id).count(" · ") == 1


def test_a_reply_and_what_goes_on_from_it_are_read_as_one(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start()
    sent = core.send(conversation_id, "Write code.")
    core.answer(sent, "```python\nprint(", outcomes.TRUNCATED)
    more = core.continue_reply(conversation_id, sent.reply_id)
    core.answer(more, "1)\n```\nThere", outcomes.TRUNCATED)
    core.answer(core.continue_reply(conversation_id, more.reply_id), " it is.")
    core.turn(conversation_id, "Thanks.", "You are welcome.")
    text = markdown(store, conversation_id)
    assert "```python\nprint(1)\n```\nThere it is.\n" in text
    assert headings(text)[-4:] == ["## 1. You", f"## 2. {MODEL}", "## 5. You", f"## 6. {MODEL}"]
    assert "truncated" not in text


def test_another_way_to_go_on_says_from_which_message(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start()
    sent = core.send(conversation_id, "Tell.")
    core.answer(sent, "Once upon", outcomes.TRUNCATED)
    core.answer(core.continue_reply(conversation_id, sent.reply_id), " a time")
    core.answer(core.continue_reply(conversation_id, sent.reply_id), " a midnight")
    text = markdown(store, conversation_id)
    assert "\nOnce upon a midnight\n" in text
    other = text[text.index("# Branch 2, from message 3 on") :]
    assert f"## 3. {MODEL}\n\n" in other
    assert " · goes on from message 2*\n\n a time\n" in other
    assert "Once" not in other


@pytest.mark.parametrize(
    ("said", "closed"),
    [
        ("```\ncode", "```\ncode\n```"),
        ("~~~~ python\ncode\n~~~", "~~~~ python\ncode\n~~~\n~~~~"),
        ("```\ncode\n```", "```\ncode\n```"),
        ("```\ncode\n`````  ", "```\ncode\n`````  "),
        ("```\ncode\n```python", "```\ncode\n```python\n```"),
        ("```\n~~~\n```", "```\n~~~\n```"),
        ("```not a block``` but code in a line", "```not a block``` but code in a line"),
        ("    ```\n    indented, so it is text", "    ```\n    indented, so it is text"),
        ("   ```\ncode", "   ```\ncode\n```"),
        ("```\r\ncode\r\n```\r\nend", "```\r\ncode\r\n```\r\nend"),
        ("```\na\n```\n```\nb", "```\na\n```\n```\nb\n```"),
    ],
)
def test_a_code_block_that_was_left_open_ends_with_its_message(
    core: Core, store: InMemoryEventStore, said: str, closed: str
) -> None:
    conversation_id = core.start()
    core.turn(conversation_id, "Code?", said)
    assert markdown(store, conversation_id).endswith(f"*\n\n{closed}\n")


def test_a_very_long_line_of_marks_is_read_once(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start()
    core.turn(conversation_id, "`" * 200_000 + "x`", "~" * 200_000)
    text = markdown(store, conversation_id)
    assert text.endswith("\n" + "~" * 200_000 + "\n" + "~" * 200_000 + "\n")


def test_a_fork_tells_what_it_inherits_and_where_it_goes_on_from(
    core: Core, store: InMemoryEventStore
) -> None:
    source_id = core.start(title="Tea")
    first = core.turn(source_id, "One", "Two")
    core.turn(source_id, "Not inherited", "Nor this")
    version = core.conversation(source_id).version
    fork_id = core.fork(source_id, first.reply_id)
    core.turn(fork_id, "Three", "Four")
    core.delete(source_id)
    text = markdown(store, fork_id)
    assert headings(text)[0] == "# Tea (fork)"
    assert (
        f"- Goes on from conversation `{source_id}`, version {version}, message `{first.reply_id}`\n" in text
    )
    assert [text.count(f"\n{said}\n") for said in ("One", "Two", "Three", "Four")] == [1, 1, 1, 1]
    assert "inherited" not in text


# ---- JSON -----------------------------------------------------------------------------------


def test_json_holds_every_message_with_its_place_and_its_end(core: Core, store: InMemoryEventStore) -> None:
    conversation_id = core.start()
    sent = core.send(conversation_id, "Tell.")
    core.answer(sent, "Once", outcomes.TRUNCATED)
    more = core.continue_reply(conversation_id, sent.reply_id)
    core.cancel(more.call_id)
    body = told(store, conversation_id)
    assert body["format"] == "verbatim-conversation/1"
    assert [(one["id"], one["parent_id"], one["continues"]) for one in body["messages"]] == [
        (str(sent.message_id), None, None),
        (str(sent.reply_id), str(sent.message_id), None),
        (str(more.reply_id), str(sent.reply_id), str(sent.reply_id)),
    ]
    user, reply, rest = body["messages"]
    assert (user["role"], user["content"], user["outcome"], user["model"]) == ("user", "Tell.", None, None)
    assert (reply["outcome"], reply["finish_reason"], reply["model"]) == ("truncated", "length", MODEL)
    assert (rest["outcome"], rest["content"], rest["call_id"]) == ("cancelled", "", str(more.call_id))
    recorded = core.events(conversation_id)
    assert [one["version"] for one in body["messages"]] == [
        event.originator_version
        for event in recorded
        if isinstance(event, e.UserMessageSent | e.ReplyRequested)
    ]
    assert user["at"] == recorded[user["version"] - 1].timestamp.isoformat().replace("+00:00", "Z")


def test_json_tells_hidden_branches_replays_and_each_change_of_settings(
    core: Core, store: InMemoryEventStore
) -> None:
    conversation_id = core.start(params={"seed": 1})
    sent = core.turn(conversation_id, "One", "Two")
    core.change(conversation_id, system_prompt="Be brief.", model="big")
    replay_id = core.replay(conversation_id, system_prompt="Shout.")
    core.advance(conversation_id, replay_id)
    core.answer(newest(core, conversation_id, replay_id), "TWO")
    core.hide(conversation_id, sent.reply_id)
    body = told(store, conversation_id)
    assert body["hidden_leaf_ids"] == [str(sent.reply_id)]
    assert [one["replay"] for one in body["messages"]] == [
        None,
        None,
        None,
        {"replay_id": str(replay_id), "turn": 1},
    ]
    assert [one["model"] for one in body["messages"]] == [None, MODEL, None, "big"]
    changes = [
        {name: value for name, value in change.items() if name in {"version", "system_prompt", "model"}}
        for change in body["settings_changes"]
    ]
    assert changes == [
        {"version": 2, "system_prompt": SYSTEM},
        {"version": 3, "model": MODEL},
        {"version": 7, "system_prompt": "Be brief."},
        {"version": 8, "model": "big"},
    ]
    assert {change["conversation_id"] for change in body["settings_changes"]} == {str(conversation_id)}


def test_json_of_a_fork_says_where_each_message_was_written(core: Core, store: InMemoryEventStore) -> None:
    source_id = core.start(system_prompt="Be kind.")
    first = core.turn(source_id, "One", "Two")
    fork_id = core.fork(source_id, message_of(first))
    core.change(source_id, system_prompt="Changed later.")
    core.answer(core.regenerate(fork_id, message_of(first)), "Another two")
    body = told(store, fork_id)
    assert [(one["conversation_id"], one["content"]) for one in body["messages"]] == [
        (str(source_id), "One"),
        (str(fork_id), "Another two"),
    ]
    assert body["conversation"]["forked_from"]["conversation_id"] == str(source_id)
    assert [change.get("system_prompt") for change in body["settings_changes"]] == ["Be kind.", None]


# ---- names of files -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Tea", "tea"),
        ("Élan vital: a/b\\c", "elan-vital-a-b-c"),
        ("../../etc/passwd", "etc-passwd"),
        ("-rf *", "rf"),
        ("x" * 59 + "  y", "x" * 59),
        ("CON", "conversation-con"),
        ("lpt1", "conversation-lpt1"),
        ("Console", "console"),
        ("漢字", None),
        ("…", None),
    ],
)
def test_a_files_name_is_safe_on_every_system(
    core: Core, store: InMemoryEventStore, title: str, name: str | None
) -> None:
    conversation_id = core.start(title=title)
    assert export(store, conversation_id).file_name == (name or f"conversation-{conversation_id}")
