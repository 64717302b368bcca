"""How requests find their route, and calls their series: bounded, whatever is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from backend.api.metrics.installation import MODELS_TOLD, OTHER, Installation, call_metrics
from backend.api.metrics.requests import route_of
from projections.model_calls.figures import FIRST_TOKEN_BOUNDS_MS, Figures

ID = "0b6f2c3e-6c1a-4f2e-9a54-0a6f3f6c7a11"


@pytest.mark.parametrize(
    ("path", "route"),
    [
        (f"/api/conversations/{ID}/", "/api/conversations/<uuid:conversation_id>/"),
        ("/api/conversations/", "/api/conversations/"),
        ("/healthz", "/healthz"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/models/anything-at-all", "/v1/models"),
        ("/v1/anything-else", "v1"),
        ("/assets/index-1234.js", "assets"),
        ("/", "page"),
        (f"/c/{ID}", "page"),
        ("/anything/at/all", "page"),
        ("/api/nothing/of/ours/", "other"),
    ],
)
def test_each_path_has_one_of_few_routes(path: str, route: str) -> None:
    assert route_of(path) == route


def some(model: str = "m", calls: int = 1, **fields: Any) -> Figures:
    known: dict[str, Any] = {
        "purpose": "reply",
        "source": "browser",
        "runner": "gpu",
        "outcome": "complete",
        "first_token": None,
        "rate": None,
        "first_token_ms": 0.0,
        "tokens_per_second": 0.0,
        "prompt_tokens": 0.0,
        "completion_tokens": 0.0,
    }
    return Figures(model=model, calls=calls, **{**known, **fields})


def test_histograms_add_up() -> None:
    counted = [
        some(first_token=0, calls=2, first_token_ms=60.0),
        some(first_token=len(FIRST_TOKEN_BOUNDS_MS), first_token_ms=400_000.0, outcome="truncated"),
        some(calls=5),
    ]
    family = {family.name: family for family in call_metrics(counted)}["verbatim_first_token_seconds"]
    samples = {(sample.name, sample.labels.get("le")): sample.value for sample in family.samples}
    assert samples["verbatim_first_token_seconds_bucket", "0.05"] == 2
    assert samples["verbatim_first_token_seconds_bucket", "300.0"] == 2
    assert samples["verbatim_first_token_seconds_bucket", "+Inf"] == 3
    assert samples["verbatim_first_token_seconds_count", None] == 3
    assert samples["verbatim_first_token_seconds_sum", None] == pytest.approx(400.06)


def test_seldom_used_models_are_told_together() -> None:
    counted = [some(model=f"model {number:03}", calls=1000 - number) for number in range(200)]
    family = call_metrics(counted)[0]
    models = {sample.labels["model"]: sample.value for sample in family.samples}
    assert len(models) == MODELS_TOLD + 1
    assert "model 000" in models
    assert sum(models.values()) == sum(each.calls for each in counted)
    assert models[OTHER] == sum(each.calls for each in counted[MODELS_TOLD:])


def test_what_was_counted_is_not_counted_again_at_once() -> None:
    counts: list[int] = []

    def count() -> list[Figures]:
        counts.append(1)
        return [some()]

    installation = Installation(count)
    first = installation._calls()
    assert [metric.samples for metric in installation._calls()] == [metric.samples for metric in first]
    assert len(counts) == 1
