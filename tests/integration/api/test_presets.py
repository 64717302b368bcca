"""Presets over HTTP: named settings of one's own."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.integration.api.support import Person, problem_of

PATH = "/api/presets/"


def make(ann: Person, name: str = "Pirate", **fields: Any) -> dict[str, Any]:
    return ann.command("POST", PATH, {"name": name, **fields}, status=201)


def test_a_preset_keeps_settings_as_conversations_store_them(ann: Person) -> None:
    made = make(ann, " Pirate ", system_prompt="Arr.", model=" m1 ", params={"temperature": 0.5, "stop": "x"})
    (listed,) = ann.get(PATH)["results"]
    assert listed == {name: value for name, value in made.items() if name != "position"}
    assert (listed["name"], listed["model"], listed["system_prompt"]) == ("Pirate", "m1", "Arr.")
    assert listed["params"] == {"temperature": "0.5", "stop": ["x"]}
    started = ann.start(**{name: listed[name] for name in ("system_prompt", "model", "params")})
    assert started["settings"] == {name: listed[name] for name in ("system_prompt", "model", "params")}


def test_a_preset_changes_in_part_and_is_deleted(ann: Person) -> None:
    made = make(ann, system_prompt="Arr.", params={"seed": 1})
    changed = ann.command("PATCH", f"{PATH}{made['id']}/", {"params": {}, "name": "Captain"}, status=200)
    assert (changed["name"], changed["system_prompt"], changed["params"]) == ("Captain", "Arr.", {})
    assert ann.ask("DELETE", f"{PATH}{made['id']}/").status_code == 204
    assert ann.get(PATH)["results"] == []
    assert problem_of(ann.ask("DELETE", f"{PATH}{made['id']}/"), 404)["code"] == "preset_not_found"


def test_presets_are_listed_by_name(ann: Person) -> None:
    for name in ("beta", "Alpha", "gamma"):
        make(ann, name)
    assert [preset["name"] for preset in ann.get(PATH)["results"]] == ["Alpha", "beta", "gamma"]


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"name": "PIRATE"}, "preset_name_taken", "name"),
        ({"name": "  "}, "invalid_input", "name"),
        ({"name": "x" * 201}, "invalid_input", "name"),
        ({}, "invalid_input", "name"),
        ({"name": "a", "params": {"temperature": 9}}, "parameter_invalid", "params.temperature"),
        ({"name": "a", "params": {"colour": 1}}, "parameter_invalid", "params.colour"),
        ({"name": "a", "system_prompt": "\x00"}, "text_invalid", "system_prompt"),
        ({"name": "a", "owner": "me"}, "invalid_input", "owner"),
    ],
)
def test_what_does_not_fit_is_refused(ann: Person, fields: dict[str, Any], code: str, field: str) -> None:
    make(ann)
    refused = problem_of(ann.ask("POST", PATH, fields), 400)
    assert refused["code"] == code
    assert field in refused["errors"]
    assert len(ann.get(PATH)["results"]) == 1


def test_names_are_ones_own_and_renaming_to_a_taken_one_is_refused(ann: Person, bob: Person) -> None:
    mine, other = make(ann), make(ann, "Other")
    make(bob)
    refused = problem_of(ann.ask("PATCH", f"{PATH}{other['id']}/", {"name": "pirate"}), 400)
    assert refused["code"] == "preset_name_taken"
    for preset_id in (mine["id"], str(uuid4())):
        path = f"{PATH}{preset_id}/"
        assert problem_of(bob.ask("PATCH", path, {"name": "Mine"}), 404)["code"] == "preset_not_found"
        assert problem_of(bob.ask("DELETE", path), 404)["code"] == "preset_not_found"


def test_there_is_a_limit(ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.api import preset_views

    monkeypatch.setattr(preset_views, "PRESETS_LIMIT", 1)
    make(ann)
    assert problem_of(ann.ask("POST", PATH, {"name": "One more"}), 400)["code"] == "too_many_presets"
