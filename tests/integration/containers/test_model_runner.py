"""With which model the built-in runner's container begins."""

from __future__ import annotations

import pytest

from backend.containers import model_runner


@pytest.mark.parametrize(
    ("url", "first"), [("", "--first=ours"), ("http://elsewhere.example.org/v1", "--first=")]
)
def test_a_model_of_another_runner_does_not_keep_this_one_from_starting(
    url: str, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever answers people waits until this one is well, also where nobody uses it."""
    begun: list[list[str]] = []
    monkeypatch.setattr(
        model_runner, "raw_settings", lambda: {"MODEL_RUNNER_URL": url, "MODEL_RUNNER_MODEL": "ours"}
    )

    def run(arguments: list[str]) -> int:
        begun.append(arguments)
        return 0

    monkeypatch.setattr(model_runner, "run", run)
    assert model_runner.main(["--port", "8080"]) == 0
    assert [word for word in begun[0] if word.startswith("--first")] == [first]
