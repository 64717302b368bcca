"""The library's own test cases for recorders, run on ours: where it promises something, we still keep it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from eventsourcing.postgres import PostgresDatastore
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)

from backend.event_store.connection import open_datastore
from backend.event_store.recorder import VerbatimRecorder


class OnAnEmptyDatabase:
    """Gives each case a recorder with tables that it makes itself, as the library's cases expect."""

    url: ClassVar[str]
    opened: ClassVar[list[PostgresDatastore]]

    @pytest.fixture(autouse=True)
    def _database(self, empty_database: str) -> Any:
        type(self).url = empty_database
        type(self).opened = []
        yield
        for datastore in self.opened:
            datastore.close()

    def create_recorder(self) -> VerbatimRecorder:
        datastore = open_datastore(self.url)
        self.opened.append(datastore)
        recorder = VerbatimRecorder(datastore, events_table_name="stored_events")
        recorder.create_table()
        return recorder


class TestApplicationRecorder(OnAnEmptyDatabase, ApplicationRecorderTestCase[Any]):
    """The whole store: positions, selection by topic, concurrency, subscription."""


class TestPositionsDoNotInterleave(OnAnEmptyDatabase, NonInterleavingNotificationIDsBaseCase):
    """Events of one append have neighbouring positions."""


# The abstract bases are imported to be subclassed, not to be collected.
del ApplicationRecorderTestCase, NonInterleavingNotificationIDsBaseCase
