"""Django's engine, with a pool that gets over a lost database at once."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base

from backend.event_store.pool import checked_pool


class DatabaseWrapper(base.DatabaseWrapper):
    """As Django's, except for how a pool is made: Django's own leaves no room for another check."""

    # Django's own, which its type stubs leave out.
    _connection_pools: ClassVar[dict[str, Any]]
    _configure_connection: Any

    @property
    def pool(self) -> Any:
        pool_options = self.settings_dict["OPTIONS"].get("pool")
        if self.alias == NO_DB_ALIAS or not pool_options:
            return None
        if self.alias not in self._connection_pools:
            # Several threads may make one at the same time; none is open yet, and the first one stays.
            self._connection_pools.setdefault(
                self.alias,
                checked_pool(
                    kwargs={**self.get_connection_params(), "autocommit": True},
                    configure=self._configure_connection,
                    **pool_options,
                ),
            )
        return self._connection_pools[self.alias]
