"""A small OpenID Connect provider on a socket of this machine: discovery, keys, code flow with PKCE, signed tokens.

It lets in whoever comes, as the person in `claims`. What it does wrong on purpose is switched on by a test.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET = "verbatim", "between-us-and-them"
KEY_ID = "of-today"

Json = dict[str, Any]


@dataclass
class OidcProvider:
    """claims: who comes. deny: they press Cancel. sign_with_another_key, userinfo, issuer_told, audience, without_key_id: lies."""

    url: str = ""
    claims: Json = field(default_factory=dict)
    deny: bool = False
    sign_with_another_key: bool = False
    userinfo: Json | None = None
    issuer_told: str | None = None
    audience: str = CLIENT_ID
    without_key_id: bool = False
    expired: bool = False
    asked: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._codes: dict[str, Json] = {}
        self._tokens: dict[str, Json] = {}

    # ---- what is asked of it ----------------------------------------------------------------

    def discovery(self) -> Json:
        return {
            "issuer": self.issuer_told or self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def keys(self) -> Json:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**public, "kid": KEY_ID, "alg": "RS256", "use": "sig"}]}

    def authorize(self, query: Json) -> str:
        """Where the browser goes next."""
        self.asked.append(query)
        answer = {"state": query["state"]}
        if self.deny:
            answer["error"] = "access_denied"
        else:
            code = secrets.token_urlsafe(16)
            self._codes[code] = query
            answer["code"] = code
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def token(self, form: Json) -> Json | None:
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None or (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return None
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked.get("code_challenge"):
            return None
        if form.get("redirect_uri") != asked["redirect_uri"]:
            return None
        access_token = secrets.token_urlsafe(16)
        self._tokens[access_token] = dict(self.claims)
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 60,
            "id_token": self._signed(),
        }

    def userinfo_of(self, access_token: str) -> Json | None:
        found = self._tokens.get(access_token)
        return self.userinfo if found is not None and self.userinfo is not None else found

    def _signed(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer_told or self.url,
            "aud": self.audience,
            "iat": now - 7200 if self.expired else now,
            "exp": now - 3600 if self.expired else now + 60,
            **self.claims,
        }
        key = self._key
        if self.sign_with_another_key:
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return jwt.encode(
            claims, key, algorithm="RS256", headers=None if self.without_key_id else {"kid": KEY_ID}
        )


@contextmanager
def running_oidc_provider() -> Iterator[OidcProvider]:
    """A provider that answers while the context is open."""
    provider = OidcProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            match parts.path:
                case "/.well-known/openid-configuration":
                    self._answer(provider.discovery())
                case "/keys":
                    self._answer(provider.keys())
                case "/authorize":
                    self.send_response(302)
                    self.send_header("Location", provider.authorize(query))
                    self.end_headers()
                case "/userinfo":
                    token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                    self._answer(provider.userinfo_of(token))
                case _:
                    self._answer(None)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._answer(provider.token(form) if self.path == "/token" else None)

        def _answer(self, body: Json | None) -> None:
            text = json.dumps({"error": "invalid_request"} if body is None else body).encode()
            self.send_response(400 if body is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
