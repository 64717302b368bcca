"""Runners to ask: the scripted one, and the real llama.cpp with its small model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from backend.model_runner.http_client import HttpModelRunner
from backend.model_runner.scripted import ScriptedRunner
from tests.contract.model_runner.support import SHORT
from tests.support.stack import free_port

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest_asyncio.fixture
async def scripted() -> AsyncIterator[ScriptedRunner]:
    async with ScriptedRunner(delay_ms=0) as runner:
        yield runner


@pytest_asyncio.fixture
async def client(scripted: ScriptedRunner) -> AsyncIterator[HttpModelRunner]:
    made = HttpModelRunner(scripted.url + "/", api_key="the-key", timeouts=SHORT)
    yield made
    await made.aclose()


@pytest.fixture(scope="session")
def real_url() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.model_runner.builtin", "--port", str(port)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), "the built-in runner ended before it was ready"
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(10)
