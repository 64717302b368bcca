"""A story of which all calls have ended, as a log of its own and as an honest bundle, for tests that alter it."""

from __future__ import annotations

import json
from dataclasses import replace

from backend.audit.export import ExportedEvent
from tests.integration.projections.stories import told_in_memory
from tests.support.bundles import (
    Log,
    bundle_of,
    recorded,
)
from tools.verbatim_verify import ENDS


def ended_story() -> list[ExportedEvent]:
    """A story with several conversations, of which all calls have ended: the first part of one, and its ends."""
    events = recorded(told_in_memory(7, 120))
    asked = {event.stream for event in events if event.topic.startswith("ModelCallRequested")}
    return [event for event in events if event.stream not in asked - finally_ended(events)]


def finally_ended(events: list[ExportedEvent]) -> set[str]:
    return {
        event.stream
        for event in events
        if event.topic.partition(".")[0] in ENDS and json.loads(event.payload)["final"]
    }


def as_log(events: list[ExportedEvent]) -> Log:
    """These events as a log of their own, so that they stand without gaps in it."""
    return Log([replace(event, index=index) for index, event in enumerate(events)], earlier_sizes=[3, 8])


LOG = as_log(ended_story())
BUNDLE = bundle_of(LOG)
