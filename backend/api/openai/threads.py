"""The threads in which this endpoint waits for the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from backend.api.openai.asking import giving_back

T = TypeVar("T")

_threads: Final = ThreadPoolExecutor(8, thread_name_prefix="openai")


async def in_thread(function: Callable[..., T], *arguments: object) -> T:
    """Call a blocking function; its database connection is given back."""
    return await asyncio.get_running_loop().run_in_executor(
        _threads, partial(giving_back, function, *arguments)
    )
