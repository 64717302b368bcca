"""What is to be known of a model runner before it is asked anything. Which runners there are, the configuration says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BUILT_IN: Final = "built-in"
LLAMA_CPP: Final = "llama.cpp"
OPENAI_COMPATIBLE: Final = "openai-compatible"
KINDS: Final = (BUILT_IN, LLAMA_CPP, "docker-model-runner", "ollama", "vllm", OPENAI_COMPATIBLE)
FIRST_VARIABLES: Final = "MODEL_RUNNER"
"""What the names of the first runner's settings begin with."""
FIRST_TOKEN_TIMEOUT_S: Final = 310.0
"""Some runners load the model inside the first request, for up to five minutes."""
SILENCE_TIMEOUT_S: Final = 60.0
LLAMA_SERVERS: Final = frozenset({BUILT_IN, LLAMA_CPP})
"""Kinds that go on from an assistant message, and tell how far they have come with reading a prompt."""


@dataclass(frozen=True)
class RunnerSettings:
    """One runner. url: never ends in a slash; empty for the built-in one before it runs.

    variables: what the names of its settings begin with, for advice. limit: calls at the same time, or None. continues: it goes on from a prompt that ends with an assistant message.
    first_token_timeout_s, silence_timeout_s: how long it is waited for before the first word, and between two.
    """

    name: str
    url: str
    api_key: str
    kind: str
    limit: int | None
    continues: bool
    variables: str = FIRST_VARIABLES
    first_token_timeout_s: float = FIRST_TOKEN_TIMEOUT_S
    silence_timeout_s: float = SILENCE_TIMEOUT_S

    @property
    def reports_progress(self) -> bool:
        """Whether it can be asked to tell how far it has come with reading the prompt."""
        return self.kind in LLAMA_SERVERS
