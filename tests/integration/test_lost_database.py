"""After the database was away, requests are served again at once, however many connections had been open."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
from django.db import connection, connections

from backend.accounts.models import User
from backend.event_store.connection import open_datastore
from backend.event_store.pool import checked_pool

CONNECTIONS = 12


def cut_all_others(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_pool_full_of_dead_connections_serves_the_next_request(fresh_database: str) -> None:
    with checked_pool(
        fresh_database, min_size=1, max_size=CONNECTIONS, timeout=3, kwargs={"autocommit": True}
    ) as pool:
        for each in [pool.getconn() for _ in range(CONNECTIONS)]:
            pool.putconn(each)
        cut_all_others(fresh_database)
        for _ in range(3):
            with pool.connection() as alive:
                assert alive.execute("SELECT 1").fetchone() == (1,)


def test_django_and_the_event_store_use_such_pools(fresh_database: str) -> None:
    everybody_has_one = threading.Barrier(CONNECTIONS)

    def ask(_: int) -> None:
        User.objects.exists()
        everybody_has_one.wait(20)
        connections.close_all()

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(ask, range(CONNECTIONS)))
    connection.close()
    datastore = open_datastore(fresh_database)
    try:
        with datastore.get_connection() as stored:
            stored.execute("SELECT 1")
        cut_all_others(fresh_database)
        assert not User.objects.exists()
        with datastore.get_connection() as stored:
            assert stored.execute("SELECT 1 AS one").fetchone() == {"one": 1}
    finally:
        datastore.close()


def test_the_event_store_keeps_every_option_of_the_address(fresh_database: str) -> None:
    separator = "&" if "?" in fresh_database else "?"
    datastore = open_datastore(f"{fresh_database}{separator}application_name=from-the-address")
    try:
        with datastore.get_connection() as stored:
            assert stored.execute("SHOW application_name").fetchone() == {
                "application_name": "from-the-address"
            }
    finally:
        datastore.close()
