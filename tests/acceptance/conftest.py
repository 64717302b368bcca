"""The whole product as a subprocess, with a scripted runner: one stack for all tests that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.support.api_client import ApiClient
from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="session")
def shared_runner() -> Iterator[ScriptedRunner]:
    with ScriptedRunner().in_thread() as runner:
        yield runner


@pytest.fixture(scope="session")
def shared_stack(shared_runner: ScriptedRunner) -> Iterator[Stack]:
    with running_stack(MODEL_RUNNER_URL=shared_runner.url, MODEL_RUNNER_MODEL=MODEL_ID) as stack:
        yield stack


@pytest.fixture
def runner(shared_runner: ScriptedRunner) -> Iterator[ScriptedRunner]:
    """The shared runner without scripts or requests of earlier tests."""
    shared_runner.reset()
    yield shared_runner
    shared_runner.reset()


@pytest.fixture
def stack(shared_stack: Stack) -> Stack:
    return shared_stack


@pytest.fixture
def person(stack: Stack) -> Iterator[ApiClient]:
    """Somebody who has just signed up."""
    with ApiClient(stack.url) as client:
        client.sign_up()
        yield client


@pytest.fixture
def own_runner() -> Iterator[ScriptedRunner]:
    """A runner for one test alone."""
    with ScriptedRunner().in_thread() as runner:
        yield runner


@pytest.fixture
def own_stack(own_runner: ScriptedRunner) -> Iterator[Stack]:
    """A product for one test alone, which may do to it what it likes."""
    with running_stack(MODEL_RUNNER_URL=own_runner.url, MODEL_RUNNER_MODEL=MODEL_ID) as stack:
        yield stack
