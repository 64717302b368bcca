"""Whether the program in this container is well: exit status 0, or 1 and one line.

`python -m backend.containers.healthy http PORT PATH` asks a server, `… worker` looks at its sign of life (ALIVE_FILE).
It runs every few seconds beside the program, so it loads next to nothing and looks at nobody else.
"""

from __future__ import annotations

import http.client
import os
import sys
import time
from typing import Final

LOOPBACK: Final = "127.0.0.1"
ANSWER_S: Final = 4.0
# A worker beats every second or two; a busy machine may let it wait.
SIGN_OF_LIFE_S: Final = 15.0


def main(arguments: list[str]) -> int:
    """Look, say what is wrong, answer the exit code."""
    match arguments:
        case ["worker"]:
            problem = worker_problem(os.environ.get("ALIVE_FILE", ""))
        case ["http", port, path] if port.isdecimal():
            problem = http_problem(int(port), path)
        case _:
            problem = "Expected: worker, or http PORT PATH."
    if problem:
        print(problem)
    return 1 if problem else 0


def worker_problem(alive_file: str) -> str:
    """Empty for a worker that lately got round to its work."""
    try:
        silent_s = time.time() - os.stat(alive_file).st_mtime
    except OSError as error:
        return f"The worker has given no sign of life yet: {alive_file or 'ALIVE_FILE is not set'}, {error.strerror}."
    if silent_s > SIGN_OF_LIFE_S:
        return (
            f"The worker's last sign of life is {silent_s:.0f} s old; expected at most {SIGN_OF_LIFE_S:.0f}."
        )
    return ""


def http_problem(port: int, path: str) -> str:
    """Empty where the server in this container answers 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ANSWER_S)
    try:
        connection.request("GET", path, headers={"Host": _host()})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"Nothing answers on port {port}: {error}."
    finally:
        connection.close()
    return "" if status == 200 else f"{path} answers {status}; expected 200."


def _host() -> str:
    """A name that the application accepts: of ALLOWED_HOSTS the first that is one, else this machine's."""
    for name in os.environ.get("ALLOWED_HOSTS", "").replace(",", " ").split():
        if name != "*":
            return name.lstrip(".")
    return LOOPBACK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
