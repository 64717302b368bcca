"""Old event shapes, brought up to the present one when they are read. Stored bytes stay as they are.

An upcaster belongs to an old topic, names the topic that took its place and changes the decoded JSON.
Chains are followed: .v1 -> .v2 -> .v3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Payload = dict[str, Any]


@dataclass(frozen=True)
class Upcaster:
    """new_topic: what events of the old topic are read as. change: old payload -> new payload."""

    new_topic: str
    change: Callable[[Payload], Payload]


class Upcasters:
    """The known upcasters by old topic."""

    def __init__(self) -> None:
        self._by_topic: dict[str, Upcaster] = {}

    def register(self, old_topic: str, new_topic: str, change: Callable[[Payload], Payload]) -> None:
        """Read `old_topic` as `new_topic` from now on. One upcaster for each old topic."""
        if old_topic in self._by_topic:
            raise ValueError(
                f"The topic {old_topic} has an upcaster already, to {self._by_topic[old_topic].new_topic}."
            )
        self._by_topic[old_topic] = Upcaster(new_topic, change)

    def topics_of(self, topic: str) -> list[str]:
        """The topics under which events are stored that are read as this one, the present one first."""
        found = [topic]
        for one in found:
            found += [old for old, upcaster in self._by_topic.items() if upcaster.new_topic == one]
        return found

    def upcast(self, topic: str, payload: Payload) -> tuple[str, Payload]:
        """The present topic and payload of a stored event."""
        while (upcaster := self._by_topic.get(topic)) is not None:
            topic, payload = upcaster.new_topic, upcaster.change(payload)
        return topic, payload


def _name_no_replay(payload: Payload) -> Payload:
    """Before replays existed, no reply was asked for by one."""
    return {**payload, "replay": None}


def _name_no_runner(payload: Payload) -> Payload:
    """Before an installation could have several runners, no call named one or asked for its progress."""
    return {**payload, "runner": None, "prompt_request": {**payload["prompt_request"], "progress": False}}


UPCASTERS = Upcasters()
"""The upcasters of this product; each has a page in migrations-notes/."""

UPCASTERS.register("ReplyRequested.v1", "ReplyRequested.v2", _name_no_replay)
UPCASTERS.register("ModelCallRequested.v1", "ModelCallRequested.v2", _name_no_runner)
