"""What docker-compose.yml hands to whom."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from backend.config.builtin_settings import BUILTIN_SETTING_NAMES
from backend.config.environment import REPOSITORY_ROOT


@pytest.fixture
def services() -> Any:
    return yaml.safe_load((REPOSITORY_ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


def test_the_runner_gets_its_own_settings_and_no_secret(services: Any) -> None:
    """It reads files of models from anywhere; a whole `.env` would hand it SECRET_KEY and the like."""
    runner = services["model-runner"]
    assert "env_file" not in runner
    own = {*BUILTIN_SETTING_NAMES, "MODEL_RUNNER_URL", "MODEL_RUNNER_MODEL"}
    assert set(runner["environment"]) == own


def test_what_the_documentation_scales_to_finds_connections(services: Any) -> None:
    """docs/containers.md: --scale web=2 --scale model-calls=3. docs/operations.md: up to 32 and 16 connections each."""
    found = re.search(r"max_connections=(\d+)", " ".join(services["postgres"]["command"]))
    web, model_calls, projections = 2, 3, 1
    assert found is not None
    assert int(found[1]) > web * 32 + (model_calls + projections) * 16
