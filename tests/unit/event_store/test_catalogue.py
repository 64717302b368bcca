"""The page that lists what is stored: complete, and it remembers since when."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from backend.domain.events import EVENT_CLASSES
from backend.event_store.catalogue import catalogue

PAGE = catalogue("", "0.1.0")


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("event_catalogue", *arguments, stdout=output)
    return output.getvalue()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the command finds and writes its page, in a folder of the test's own."""
    monkeypatch.setattr(settings, "BASE_DIR", tmp_path)
    path = tmp_path / "migrations-notes" / "event-catalogue.md"
    path.parent.mkdir()
    return path


@pytest.mark.parametrize("topic", sorted(EVENT_CLASSES))
def test_every_topic_is_listed_once(topic: str) -> None:
    assert PAGE.count(f"\n### {topic}\n\nSince 0.1.0.\n") == 1


def test_values_within_events_are_listed_too_also_those_within_values() -> None:
    for name in ("ForkOrigin", "ReplyError", "CallError", "TokenUsage", "PromptRequest", "Trimming"):
        assert PAGE.count(f"\n### {name}\n") == 1


def test_fields_have_types_that_a_person_can_read() -> None:
    assert "| `params` | object, each value text or list of text |" in PAGE
    assert "| `tool_calls` | list of any JSON |" in PAGE
    assert "| `parent_id` | UUID or null |" in PAGE
    assert "| `final` | true or false |" in PAGE


def test_a_topic_keeps_the_release_it_came_with_and_a_new_one_gets_the_present_one() -> None:
    without = PAGE.replace("### ConversationPinned.v1", "### SomethingElse.v1")
    later = catalogue(without, "0.2.0")
    assert later == PAGE.replace(
        "### ConversationPinned.v1\n\nSince 0.1.0.", "### ConversationPinned.v1\n\nSince 0.2.0."
    )
    assert catalogue(later, "0.3.0") == later


def test_the_command_writes_what_it_then_finds_current(written: Path) -> None:
    assert run("--write") == "Wrote migrations-notes/event-catalogue.md.\n"
    assert written.read_text(encoding="utf-8") == run()
    assert run("--check") == "migrations-notes/event-catalogue.md is current.\n"


@pytest.mark.parametrize("found", [None, "an old page\n"])
def test_a_page_that_differs_is_refused_with_the_way_to_mend_it(written: Path, found: str | None) -> None:
    if found is not None:
        written.write_text(found, encoding="utf-8")
    with pytest.raises(CommandError, match="event_catalogue --write"):
        run("--check")
    assert (written.read_text(encoding="utf-8") if written.exists() else None) == found
