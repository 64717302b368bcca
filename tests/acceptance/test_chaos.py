"""A short storm: every part is killed at least once while replies are being written, and nothing is missing after."""

from __future__ import annotations

import pytest

from tests.chaos.killers import PARTS, schedule
from tests.chaos.storm import run_storm

SECONDS = 18.0
REPLIES = 20


@pytest.mark.parametrize("seed", [4, 11])
def test_nothing_acknowledged_or_shown_is_lost_whatever_dies(seed: int) -> None:
    planned = {part for blow in schedule(seed, SECONDS) for part, _ in blow.victims}
    assert planned == set(PARTS), "this seed kills every kind of part"
    summary = run_storm(seed=seed, seconds=SECONDS, replies=REPLIES)
    assert summary.problems == [], "\n".join(summary.lines())
    assert summary.turns >= 2 * REPLIES
    assert set(summary.findings.outcomes) <= {"complete", "interrupted", "failed"}
    assert summary.findings.outcomes["complete"] > 0
