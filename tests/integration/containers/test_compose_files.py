"""What docker-compose.yml hands to whom."""

from __future__ import annotations

import yaml

from backend.config.builtin_settings import BUILTIN_SETTING_NAMES
from backend.config.environment import REPOSITORY_ROOT


def test_the_runner_gets_its_own_settings_and_no_secret() -> None:
    """It reads files of models from anywhere; a whole `.env` would hand it SECRET_KEY and the like."""
    services = yaml.safe_load((REPOSITORY_ROOT / "docker-compose.yml").read_text(encoding="utf-8"))[
        "services"
    ]
    runner = services["model-runner"]
    assert "env_file" not in runner
    assert set(runner["environment"]) == {
        *BUILTIN_SETTING_NAMES,
        "MODEL_RUNNER_URL",
        "MODEL_RUNNER_MODEL",
    }
