"""Runs the real supervisor and the real PostgreSQL with small stand-ins for the parts that need Django or a model.

`python -m tests.integration.embedded.stand_ins run` is `make run` in small. The other words are the stand-ins; each
behaves as the environment variable STAND_IN_<WORD> says: `fail` ends at once, `deaf` ignores SIGTERM.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

MODULE = "tests.integration.embedded.stand_ins"


class Answers(BaseHTTPRequestHandler):
    """Answers every GET with the settings that the supervisor gave to this process."""

    def do_GET(self) -> None:
        names = ("DATABASE_URL", "BUILT_IN_RUNNER_URL", "MODEL_RUNNER_MODEL")
        body = "\n".join(
            [str(os.getpid()), *(f"{name}={os.environ.get(name, '')}" for name in names)]
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve(listener: socket.socket) -> None:
    """Serve on a socket that is bound already."""
    server = HTTPServer(("127.0.0.1", 0), Answers, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    listener.listen(16)
    server.serve_forever()


def run_with_stand_ins() -> int:
    """`make run`, but with these stand-ins."""
    # Not above: the stand-ins themselves start often and need none of it.
    from backend.embedded.application import Programs
    from backend.embedded.run import main as run

    programs = Programs(
        setup=(("-m", MODULE, "setup"),),
        setup_code=("-m", MODULE, "setup-code"),
        web=("-m", MODULE, "web"),
        runner=("-m", MODULE, "runner"),
        projections=("-m", MODULE, "projections"),
        model_calls=("-m", MODULE, "model-calls"),
    )
    return run([], programs)


def main(arguments: list[str]) -> int:
    """Be the named part."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part")
    parser.add_argument("--fd", type=int)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    options, _ = parser.parse_known_args(arguments)  # the runner is told of its models, which these have not
    if options.part == "run":
        return run_with_stand_ins()
    if options.part == "setup-code":
        print("01234567")
        return 0
    manner = os.environ.get(f"STAND_IN_{options.part.upper().replace('-', '_')}", "")
    print(f"{options.part} starts as process {os.getpid()}", flush=True)
    if manner == "fail":
        print(f"{options.part} fails on purpose", file=sys.stderr, flush=True)
        return 3
    if manner == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.part == "setup":
        return 0
    if options.fd is not None:
        serve(socket.socket(fileno=options.fd))
    if options.port is not None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((options.host, options.port))
        serve(listener)
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
