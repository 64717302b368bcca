"""A mail server that takes every mail and keeps it, on a real socket."""

from __future__ import annotations

import re
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

LINK = re.compile(r"https?://\S+")


@dataclass
class MailServer:
    """refuse: what it answers to every recipient, instead of taking the mail."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    refuse: str = ""

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def take(self, to: str, timeout_s: float = 10.0) -> EmailMessage:
        """The oldest mail for this address, which is taken away."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for mail in list(self.mails):
                if mail["To"] == to:
                    self.mails.remove(mail)
                    return mail
            time.sleep(0.02)
        raise AssertionError(f"no mail for {to}; there are {[mail['To'] for mail in self.mails]}")


def link_in(mail: EmailMessage) -> str:
    """The only link of a mail."""
    [link] = LINK.findall(mail.get_content())
    return str(link)


@contextmanager
def running_mail_server() -> Iterator[MailServer]:
    kept = MailServer()

    class Conversation(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 ready")
            while line := self.rfile.readline():
                match line[:4].upper():
                    case b"EHLO" | b"HELO" | b"MAIL" | b"RSET" | b"NOOP":
                        self.say("250 OK")
                    case b"RCPT":
                        self.say(kept.refuse or "250 OK")
                    case b"DATA":
                        self.say("354 go on")
                        kept.mails.append(self.mail())
                        self.say("250 OK")
                    case b"QUIT":
                        self.say("221 bye")
                        return
                    case _:
                        self.say("502 not known here")

        def mail(self) -> EmailMessage:
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line[1:] if line.startswith(b"..") else line)
            mail = message_from_bytes(b"".join(lines), policy=policy.default)
            assert isinstance(mail, EmailMessage)
            return mail

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Conversation) as server:
        server.daemon_threads = True
        kept.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()
