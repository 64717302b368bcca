"""A scripted runner that knows which scripts hold now, so that a test lets go of a hold only once it is reached."""

from __future__ import annotations

from backend.model_runner.scripted import MODEL_ID, ScriptedRunner
from tests.support.stack import wait_until

__all__ = ["MODEL_ID", "HoldingRunner"]


class HoldingRunner(ScriptedRunner):
    """Use `let_go()` where a script holds; `release()` alone is lost when it comes too early."""

    def __init__(self, *, port: int = 0, delay_ms: float = 1.0) -> None:
        super().__init__(port=port, delay_ms=delay_ms)
        self._holding = 0

    def let_go(self) -> None:
        """Wait until a script holds, then let it go on."""
        wait_until(lambda: self._holding > 0, "a script that holds")
        self.release()

    async def _wait_for_release(self) -> None:
        self._holding += 1
        try:
            await super()._wait_for_release()
        finally:
            self._holding -= 1
