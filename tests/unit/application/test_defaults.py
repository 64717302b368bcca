"""What the installation decides where a command leaves it open."""

from __future__ import annotations

import pytest

from backend.application.ports import InstallationDefaults
from backend.domain import commands as c
from backend.domain import errors
from tests.support.builders import OWNER, World


def test_a_conversation_starts_with_the_installations_defaults() -> None:
    body = World().run(c.StartConversation(OWNER)).body
    assert body["settings"] == {
        "system_prompt": "You are a helpful assistant.",
        "model": "scripted-model",
        "params": {},
    }
    assert (body["title"], body["version"], body["selected_leaf_id"]) == ("New conversation", 3, None)


def test_the_installations_parameters_hold_where_none_were_given() -> None:
    world = World(defaults=InstallationDefaults("New conversation", "", "a-model", {"max_tokens": 1024}))
    assert world.conversation(world.start()).settings.params == {"max_tokens": "1024"}
    assert world.conversation(world.start(params={})).settings.params == {}
    assert world.conversation(world.start(params={"seed": 1})).settings.params == {"seed": "1"}


def test_without_any_model_a_message_is_refused_by_name() -> None:
    world = World(defaults=InstallationDefaults("New conversation", "", model=""))
    conversation_id, end = world.start(), world.store.end()
    with pytest.raises(errors.InvalidInput, match="No model is chosen") as refusal:
        world.send(conversation_id)
    assert "model" in refusal.value.fields
    assert world.store.end() == end
    world.send(conversation_id, model="chosen-here")


def test_a_conversation_without_a_model_takes_the_installations_at_its_first_message() -> None:
    world = World(defaults=InstallationDefaults("New conversation", "", model=""))
    conversation_id = world.start()
    world.defaults = InstallationDefaults("New conversation", "", model="known-by-now")
    sent = world.send(conversation_id)
    assert world.call(sent.call_id).prompt_request.model == "known-by-now"
