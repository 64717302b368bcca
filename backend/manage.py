"""The entry for management commands: finds the database first, then hands over to Django.

With no DATABASE_URL, commands use the embedded PostgreSQL: the running one, or one started for as long as the command
takes. Commands that change tables use the tables' owner, where DATABASE_OWNER_URL names one. This is an entry script; nothing imports it.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Final

REPOSITORY_ROOT: Final = Path(__file__).resolve().parent.parent
# Django's own commands that never look at the database.
WITHOUT_DATABASE: Final = frozenset(
    {
        "",
        "help",
        "version",
        "--help",
        "-h",
        "--version",
        "check",
        "collectstatic",
        "diffsettings",
        "event_catalogue",
        "spectacular",
    }
)


def main(arguments: list[str]) -> int:
    """Run one management command; answer the exit code."""
    from django.core.exceptions import ImproperlyConfigured

    from backend.config.database_settings import OWNER_COMMANDS
    from backend.config.environment import ConfigurationError, load_environment
    from backend.embedded.errors import StartError
    from backend.embedded.postgres import attach_or_start

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")
    command = arguments[1] if len(arguments) > 1 else ""
    asks_for_help = "--help" in arguments or "-h" in arguments
    try:
        environment = load_environment()
        embedded = not environment.database_url and command not in WITHOUT_DATABASE and not asks_for_help
        with attach_or_start(environment) if embedded else nullcontext("") as url:
            if url:
                os.environ["DATABASE_URL"] = url
            elif environment.database.owner_url and command in OWNER_COMMANDS:
                # Wins over DATABASE_URL_FILE, where that was the way it came.
                os.environ["DATABASE_URL"] = environment.database.owner_url
                os.environ["DATABASE_RUNTIME_ROLE"] = environment.database.runtime_role
            elif not environment.database_url:
                os.environ["VERBATIM_WITHOUT_DATABASE"] = "1"  # the settings may then load without one
            from django.core.management import execute_from_command_line

            execute_from_command_line(arguments)
    except ConfigurationError as error:
        print(error.message, file=sys.stderr)
        return 2
    except (StartError, ImproperlyConfigured) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    # The folder of this file would otherwise stand in for the repository's root on the import path.
    sys.path[0] = str(REPOSITORY_ROOT)
    sys.exit(main(sys.argv))
