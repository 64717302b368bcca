"""Runs the model-call worker until SIGTERM or Ctrl+C; only wires it, the work is in backend.model_calls."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import psycopg
import uvloop
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from backend import bootstrap
from backend.bootstrap.database_rights import warn_of_rights
from backend.commands.alive import sign_of_life
from backend.model_calls.worker import ModelCallWorker


class Command(BaseCommand):
    help = "Take requested model calls, stream their replies and record them. Ends cleanly on SIGTERM."

    def handle(self, *args: Any, **options: Any) -> None:
        warn_of_rights(bootstrap.database_url())
        try:
            uvloop.run(work_until_told())
        except* psycopg.errors.UndefinedTable as group:
            raise CommandError(
                f"The database has no tables for the worker yet ({str(group.exceptions[0]).splitlines()[0]}). "
                "Run `python backend/manage.py migrate`, then start again."
            ) from None


async def work_until_told() -> None:
    """Run one worker; a signal asks it to put its calls in order and end."""
    runners = bootstrap.runners()
    clients = runners.clients()
    worker = ModelCallWorker(
        database_url=bootstrap.database_url(),
        store=bootstrap.event_store(),
        conversations=bootstrap.conversations(),
        models=bootstrap.models_seen(),
        run_command=bootstrap.run_command,
        runners=clients,
        runner_limits=runners.limits(),
        alive=sign_of_life(settings.ALIVE_FILE),
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    try:
        await worker.run()
    finally:
        for client in clients:
            await client.aclose()
