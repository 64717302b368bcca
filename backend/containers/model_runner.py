"""The built-in runner as a container of its own: `python -m backend.containers.model_runner --host … --port …`.

The runner reads no settings itself; here they become its arguments, as the supervisor does it on one machine. It
looks at its own settings only: it has no part in the database or the keys.
"""

from __future__ import annotations

import sys

from backend.config.builtin_settings import builtin_settings, runner_arguments
from backend.config.environment import REPOSITORY_ROOT, ConfigurationError, raw_settings
from backend.model_runner.builtin.__main__ import main as run


def main(arguments: list[str]) -> int:
    """Serve until told to stop; answer the exit code."""
    try:
        raw = raw_settings()
    except ConfigurationError as error:
        print(error.message, file=sys.stderr)
        return 2
    settings, problems = builtin_settings(raw, REPOSITORY_ROOT)
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 2
    # With another runner's address, the model that is named is that one's, and others wait for this one to be well.
    first = "" if raw.get("MODEL_RUNNER_URL") else raw.get("MODEL_RUNNER_MODEL", "")
    return run([*arguments, *runner_arguments(settings, first)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
