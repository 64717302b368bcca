"""Looks now and then, while a call goes on, whether the token it was asked with is still valid.

A stream may last for hours; whoever revokes a token or deactivates a person means the words that are still to come as well.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import psycopg
from eventsourcing.persistence import PersistenceError
from psycopg_pool import PoolTimeout

from backend.api.openai.asking import owner_of
from backend.api.openai.errors import OpenAIError
from backend.api.openai.threads import in_thread

log = logging.getLogger(__name__)

ASK_AGAIN_S: Final = 10.0


async def until_access_ends(token: str) -> None:
    """Return once the token is not valid any more. While the database is away, nobody is shut out."""
    while True:
        await asyncio.sleep(ASK_AGAIN_S)
        try:
            await in_thread(owner_of, token)
        except OpenAIError:
            return
        except (PersistenceError, psycopg.Error, PoolTimeout) as error:
            log.warning("Whether a token is still valid could not be looked up: %s", error)
