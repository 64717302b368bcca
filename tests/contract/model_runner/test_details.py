"""What Ollama and Docker Model Runner tell of their models beside the list that all runners have."""

from __future__ import annotations

import pytest

from backend.application.runner_port import RunnerModel
from backend.model_runner.http_client import HttpModelRunner
from tests.contract.model_runner.support import SHORT
from tests.contract.model_runner.test_listing import serving

pytestmark = pytest.mark.asyncio

# As Ollama 0.12 answers, with one of two models in memory.
OLLAMA: dict[str, object] = {
    "/v1/models": {
        "object": "list",
        "data": [
            {"id": "gemma3:latest", "object": "model", "created": 1760000000, "owned_by": "library"},
            {"id": "qwen3:8b", "object": "model", "created": 1760000000, "owned_by": "library"},
        ],
    },
    "/api/ps": {
        "models": [
            {
                "name": "gemma3:latest",
                "model": "gemma3:latest",
                "size": 6591830464,
                "details": {"format": "gguf", "family": "gemma3", "parameter_size": "4.3B"},
                "expires_at": "2025-10-17T16:47:07.93355-07:00",
                "size_vram": 5333539264,
                "context_length": 4096,
            }
        ]
    },
    "/api/tags": {
        "models": [
            {"name": "gemma3:latest", "size": 3338801804, "details": {"format": "gguf"}},
            {"name": "qwen3:8b", "size": 5225388164, "details": {"format": "gguf"}},
        ]
    },
}

# As Docker Model Runner answers; only one model was configured with a context.
DOCKER: dict[str, object] = {
    "/engines/v1/models": {
        "object": "list",
        "data": [
            {"id": "ai/smollm2", "object": "model", "created": 1742816981, "owned_by": "docker"},
            {"id": "docker.io/ai/qwen3:8B", "object": "model", "created": 1742816981, "owned_by": "docker"},
        ],
    },
    "/models": [
        {"id": "sha256:1", "tags": ["docker.io/ai/smollm2:latest"], "config": {"format": "gguf"}},
        {"id": "sha256:2", "tags": ["ai/qwen3:8B"], "config": {"format": "gguf", "context_size": 16384}},
        {"id": "sha256:3", "tags": None},
        "nonsense",
    ],
}


async def listed(pages: dict[str, object], kind: str, path: str = "/v1") -> tuple[RunnerModel, ...]:
    async with serving(pages, path) as plain:
        runner = HttpModelRunner(plain.url, kind=kind, timeouts=SHORT)
        try:
            return await runner.list_models()
        finally:
            await runner.aclose()


async def test_ollama_tells_the_context_of_what_is_in_memory_and_the_size_of_all() -> None:
    assert await listed(OLLAMA, "ollama") == (
        RunnerModel("gemma3:latest", 4096, size_bytes=3338801804, loaded=True),
        RunnerModel("qwen3:8b", None, size_bytes=5225388164, loaded=False),
    )


@pytest.mark.parametrize("page", [404, b"nonsense", {"models": None}, [], None])
async def test_an_ollama_that_tells_nothing_more_is_listed_all_the_same(page: object) -> None:
    models = await listed({**OLLAMA, "/api/ps": page, "/api/tags": page}, "ollama")
    assert [model.id for model in models] == ["gemma3:latest", "qwen3:8b"]
    assert {(model.context_tokens, model.size_bytes) for model in models} == {(None, None)}


async def test_docker_model_runner_tells_the_context_where_one_is_configured() -> None:
    models = await listed(DOCKER, "docker-model-runner", "/engines/v1/")
    assert [(model.id, model.context_tokens) for model in models] == [
        ("ai/smollm2", None),
        ("docker.io/ai/qwen3:8B", 16384),
    ]


async def test_a_runner_that_a_proxy_has_below_a_path_is_asked_there() -> None:
    below = {f"/ollama{path}": page for path, page in OLLAMA.items()}
    assert [model.loaded for model in await listed(below, "ollama", "/ollama/v1")] == [True, False]
    for engine in ("/engines/v1", "/engines/llama.cpp/v1"):
        pages = {f"/docker{engine}/models": DOCKER["/engines/v1/models"], "/docker/models": DOCKER["/models"]}
        models = await listed(pages, "docker-model-runner", f"/docker{engine}")
        assert [model.context_tokens for model in models] == [None, 16384]


async def test_other_kinds_are_not_asked_for_pages_they_do_not_have() -> None:
    models = await listed(OLLAMA, "openai-compatible")
    assert {(model.context_tokens, model.loaded) for model in models} == {(None, None)}


async def test_vllm_tells_the_context_in_its_list() -> None:
    entry = {"id": "meta-llama/Llama-3.1-8B", "object": "model", "owned_by": "vllm", "max_model_len": 32768}
    [model] = await listed({"/v1/models": {"object": "list", "data": [entry]}}, "vllm")
    assert model.context_tokens == 32768
