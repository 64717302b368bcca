"""The database goes away in the middle: replies go on, and nothing that was shown is missing afterwards."""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from backend.application.runner_port import Finished
from backend.embedded.postgres import embedded_postgres, stop
from tests.integration.model_calls.world import HeldRunner, World, eventually, working
from tests.support.databases import FOLDER_PREFIX, migrate

pytestmark = pytest.mark.asyncio


class Door:
    """Closes one database to everybody, and opens it again."""

    def __init__(self, database_url: str) -> None:
        self._name = str(conninfo_to_dict(database_url)["dbname"])
        self._admin_url = make_conninfo(database_url, dbname="postgres")

    def throw_everybody_out(self) -> None:
        self.throw_out("%")

    def throw_out(self, who: str) -> None:
        """End the connections of the programs whose name is like `who`."""
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = %s AND application_name LIKE %s",
                (self._name, who),
            )

    def close(self) -> None:
        self._allow(False)
        self.throw_everybody_out()

    def open(self) -> None:
        self._allow(True)

    def _allow(self, allowed: bool) -> None:
        with psycopg.connect(self._admin_url, autocommit=True) as admin:
            word = SQL("true" if allowed else "false")
            admin.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(Identifier(self._name), word))


async def test_a_reply_goes_on_over_lost_connections(world: World) -> None:
    runner, door = HeldRunner(), Door(world.database_url)
    async with working(world, runner):
        asked = world.ask()
        stream = await runner.stream()
        for place, word in enumerate(["one ", "two ", "three "]):
            stream.say(word)
            await world.chunks_beyond(asked, place)
            await asyncio.to_thread(door.throw_everybody_out)
        stream.say("four")
        stream.give(Finished("stop"))
        stream.end()
        reply = await world.reply_of(asked)
        assert (reply.content, reply.outcome) == ("one two three four", "complete")
        assert [chunk["text"] for chunk in world.chunks(asked)] == ["one ", "two ", "three ", "four"]
        again = world.ask("and the queue is heard again")
        second = await runner.stream(1)
        second.give(Finished("stop"))
        second.end()
        await world.reply_of(again)


async def test_what_a_crashed_database_forgot_is_written_again(world: World) -> None:
    runner, door = HeldRunner(), Door(world.database_url)
    async with working(world, runner):
        asked = world.ask()
        stream = await runner.stream()
        stream.say("kept ")
        stream.say("forgotten")
        await eventually(lambda: "".join(c["text"] for c in world.chunks(asked)) == "kept forgotten")
        last = world.chunks(asked)[-1]["seq"]
        # A crash takes back what was committed last without waiting for the disk.
        world.query("DELETE FROM call_chunk WHERE call_id = %s AND seq = %s", asked.call_id, last)
        await asyncio.to_thread(door.throw_everybody_out)
        await eventually(lambda: "".join(c["text"] for c in world.chunks(asked)) == "kept forgotten")
        stream.give(Finished("stop"))
        stream.end()
        assert (await world.reply_of(asked)).content == "kept forgotten"


async def test_a_result_waits_for_the_database_to_come_back(world: World) -> None:
    runner, door = HeldRunner(), Door(world.database_url)
    async with working(world, runner):
        asked = world.ask()
        stream = await runner.stream()
        stream.say("before ")
        await eventually(lambda: world.chunks(asked))
        await asyncio.to_thread(door.close)
        stream.say("and after")
        stream.give(Finished("stop"))
        stream.end()
        await asyncio.sleep(1.0)
        await asyncio.to_thread(door.open)
        reply = await world.reply_of(asked)
    assert (reply.content, reply.outcome) == ("before and after", "complete")


async def test_a_worker_without_a_database_can_be_stopped(world: World) -> None:
    door = Door(world.database_url)
    async with working(world, HeldRunner()) as worker:
        await eventually(world.live_workers)
        await asyncio.to_thread(door.close)
        worker.stop()
    door.open()
    async with working(world, HeldRunner()) as worker:
        await asyncio.to_thread(door.close)
        await asyncio.sleep(0.3)
        worker.stop()
    door.open()


class OwnServer:
    """A server for one test, which may crash: ended without a checkpoint and without writing out its memory."""

    def __init__(self, folder: Path) -> None:
        self._postgres = embedded_postgres(folder)
        self.url = self._postgres.url()
        self.start()
        migrate(self.url)

    def start(self) -> None:
        self._postgres.prepare()
        self._process = self._postgres.start()

    def crash(self) -> None:
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(20)

    def stop(self) -> None:
        stop(self._process)


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    folder.chmod(0o755)  # the server may run as another user than root
    try:
        server = OwnServer(folder)
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def test_a_reply_survives_a_crash_of_the_database(own_server: OwnServer) -> None:
    world, runner = World(own_server.url), HeldRunner()
    whole = "".join(f"{number} " for number in range(50)) + "said while it was away"
    async with working(world, runner):
        asked = world.ask()
        stream = await runner.stream()
        for number in range(50):
            stream.say(f"{number} ")
            await asyncio.sleep(0.01)
        await asyncio.to_thread(own_server.crash)
        stream.say("said while it was away")
        await asyncio.to_thread(own_server.start)
        await eventually(lambda: "".join(chunk["text"] for chunk in world.chunks(asked)) == whole)
        stream.give(Finished("stop"))
        stream.end()
        reply = await world.reply_of(asked)
    world.close()
    assert (reply.content, reply.outcome) == (whole, "complete")
