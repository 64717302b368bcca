"""Reads the settings of the installation, so that every part understands them in the same way.

This is the only module that reads environment variables and the `.env` file. It must not import Django: the
supervisor and the installer use it before Django is loaded, or even installed.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from backend.config.access_settings import ACCESS_SETTING_NAMES, AccessSettings, access_settings
from backend.config.audit_settings import AUDIT_SETTING_NAMES, AuditSettings, audit_settings
from backend.config.builtin_settings import BUILTIN_SETTING_NAMES, BuiltinSettings, builtin_settings
from backend.config.database_settings import DATABASE_SETTING_NAMES, DatabaseSettings, database_settings
from backend.config.mail_settings import MAIL_SETTING_NAMES, MailSettings, mail_settings
from backend.config.runner_settings import (
    BUILT_IN,
    RUNNER_SETTING_NAMES,
    RunnerSettings,
    is_runner_setting,
    runner_settings,
)
from backend.config.secret_files import SECRET_FILE_NAMES, UnreadableSecret, with_secret_files
from backend.config.traffic_settings import TRAFFIC_SETTING_NAMES, TrafficSettings, traffic_settings

REPOSITORY_ROOT: Final = Path(__file__).resolve().parents[2]
DEFAULT_ENV_FILE: Final = REPOSITORY_ROOT / ".env"

LOG_FORMATS: Final = ("PLAIN", "JSON")
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SHORTEST_SECRET_KEY: Final = 32
SETTING_NAMES: Final = (
    "PORT",
    "HOST",
    "PUBLISHED_HOST",
    "DATA_DIR",
    *DATABASE_SETTING_NAMES,
    *RUNNER_SETTING_NAMES,
    *BUILTIN_SETTING_NAMES,
    *AUDIT_SETTING_NAMES,
    *ACCESS_SETTING_NAMES,
    *MAIL_SETTING_NAMES,
    "SECRET_KEY",
    "ALLOWED_HOSTS",
    "TITLES",
    "SIGNUP",
    "SIGNUP_RATE",
    "LOGIN_RATE",
    *TRAFFIC_SETTING_NAMES,
    "LOG_LEVEL",
    "LOG_FORMAT",
    "WEB_WORKERS",
    "MODEL_CALL_WORKERS",
    "PROJECTION_WORKERS",
    "ALIVE_FILE",
)

_ENV_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$")
_RATE = re.compile(r"^[1-9][0-9]*/[smhd]$")


class ConfigurationError(Exception):
    """One line per problem, each ready to be shown to the person who starts the program."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True)
class Environment:
    """Every setting of api.md, checked and typed. Made by `load_environment`."""

    host: str
    published_host: str  # where it is reached, which is another address than `host` in a container
    port: int
    data_dir: Path
    database: DatabaseSettings
    model_runners: tuple[
        RunnerSettings, ...
    ]  # at least one; the first has no URL yet while it is the built-in one
    model_runner_model: str
    builtin: BuiltinSettings
    audit: AuditSettings
    access: AccessSettings
    mail: MailSettings
    traffic: TrafficSettings
    secret_key: str
    allowed_hosts: tuple[str, ...]
    titles: bool  # whether a model is asked for the titles of conversations
    signup: Literal["open", "closed"]  # closed still lets the very first account in
    signup_rate: str | None  # "20/m" per IP address; None: no limit
    login_rate: str | None
    log_level: str
    log_format: str  # plain or json
    web_workers: int
    model_call_workers: int
    projection_workers: int
    alive_file: Path | None  # touched by a worker for as long as it works; None: by none

    @property
    def database_url(self) -> str:
        """Empty: the embedded PostgreSQL."""
        return self.database.url

    @property
    def model_runner_url(self) -> str:
        """Of the first runner; empty: the built-in one, which the supervisor starts."""
        return self.model_runners[0].url

    @property
    def runner_is_built_in(self) -> bool:
        """Whether the first runner is ours, and is running somewhere."""
        return self.model_runners[0].kind == BUILT_IN and bool(self.model_runner_url)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the web server."""
        return is_loopback_host(self.published_host)


def is_loopback_host(host: str) -> bool:
    """Whether `host`, a name or an address, is this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_env_file(path: Path) -> dict[str, str]:
    """KEY=VALUE lines of a `.env` file; a missing file is an empty one.

    Comments start with `#`. Values may stand in single quotes (taken literally) or in double quotes
    (with \\n, \\" and \\\\).
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The settings file {path} cannot be read: {error}.") from error
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _ENV_LINE.match(line)
        if match is None:
            raise ConfigurationError(
                f"Line {number} of {path} is not KEY=VALUE: {line.strip()[:60]!r}. Correct it or put # before it."
            )
        values[match[1]] = _unquote(match[2], number, path)
    return values


def _unquote(value: str, number: int, path: Path) -> str:
    if value[:1] not in ("'", '"'):
        return re.split(r"(?:^|\s)#", value, maxsplit=1)[0].rstrip()
    quote = value[0]
    pattern = r"'([^']*)'\s*(?:#.*)?" if quote == "'" else r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?'
    match = re.fullmatch(pattern, value)
    if match is None:
        raise ConfigurationError(
            f"Line {number} of {path} has a quote that is not closed. Close it with {quote}."
        )
    if quote == "'":
        return match[1]
    return re.sub(r"\\(.)", lambda escape: {"n": "\n"}.get(escape[1], escape[1]), match[1])


def raw_settings(
    environ: Mapping[str, str] | None = None, env_file: Path | None = DEFAULT_ENV_FILE
) -> dict[str, str]:
    """The settings as text, unchecked; the process environment wins over `.env`. Unknown names are left out."""
    environ = os.environ if environ is None else environ
    from_file = read_env_file(env_file) if env_file is not None else {}
    merged = {
        name: value.strip()
        for name, value in (*from_file.items(), *environ.items())
        if name in SETTING_NAMES or name in SECRET_FILE_NAMES or is_runner_setting(name)
    }
    try:
        return with_secret_files(merged, REPOSITORY_ROOT)
    except UnreadableSecret as problems:
        raise ConfigurationError(str(problems)) from problems


def load_environment(
    environ: Mapping[str, str] | None = None, env_file: Path | None = DEFAULT_ENV_FILE
) -> Environment:
    """Read and check all settings.

    environ: the process environment by default. env_file: None reads no file.
    On loopback without SECRET_KEY, a key is made once and kept in DATA_DIR/secret_key.
    Raises ConfigurationError with one line per problem.
    """
    raw = raw_settings(environ, env_file)
    reader = _Reader(raw)
    builtin, problems = builtin_settings(raw, REPOSITORY_ROOT)
    reader.problems += problems
    audit, problems = audit_settings(raw, REPOSITORY_ROOT)
    reader.problems += problems
    access, problems = access_settings(raw)
    reader.problems += problems
    mail, problems = mail_settings(raw)
    reader.problems += problems
    traffic, problems = traffic_settings(raw)
    reader.problems += problems
    database, problems = database_settings(raw)
    reader.problems += problems
    runners, problems = runner_settings(raw, slots=builtin.slots)
    reader.problems += problems
    host = reader.host("HOST", "127.0.0.1")
    published_host = reader.host("PUBLISHED_HOST", host)
    loopback = is_loopback_host(published_host)
    alive_file = reader.text("ALIVE_FILE", "")
    data_dir = reader.folder("DATA_DIR", "var")
    secret_key = reader.text("SECRET_KEY", "")
    allowed_hosts = tuple(name for name in re.split(r"[\s,]+", reader.text("ALLOWED_HOSTS", "")) if name)
    reader.check_exposure(published_host, loopback, secret_key, allowed_hosts)
    environment = Environment(
        host=host,
        published_host=published_host,
        port=reader.number("PORT", 8000, 1, 65535),
        data_dir=data_dir,
        database=database,
        model_runners=runners,
        model_runner_model=reader.text("MODEL_RUNNER_MODEL", ""),
        builtin=builtin,
        audit=audit,
        access=access,
        mail=mail,
        traffic=traffic,
        secret_key=secret_key,
        allowed_hosts=allowed_hosts or tuple(dict.fromkeys(("127.0.0.1", "localhost", "[::1]", host))),
        titles=reader.choice("TITLES", "ON", ("ON", "OFF")) == "ON",
        signup=reader.signup("open" if loopback else "closed"),
        signup_rate=reader.rate("SIGNUP_RATE", "20/m", loopback),
        login_rate=reader.rate("LOGIN_RATE", "30/m", loopback),
        log_level=reader.choice("LOG_LEVEL", "INFO", LOG_LEVELS),
        log_format=reader.choice("LOG_FORMAT", "PLAIN", LOG_FORMATS).lower(),
        web_workers=reader.number("WEB_WORKERS", 1, 1, 64),
        model_call_workers=reader.number("MODEL_CALL_WORKERS", 1, 1, 64),
        projection_workers=reader.number("PROJECTION_WORKERS", 1, 1, 64),
        alive_file=Path(alive_file) if alive_file else None,
    )
    if reader.problems:
        raise ConfigurationError("\n".join(reader.problems))
    if environment.secret_key:
        return environment
    return replace(environment, secret_key=_kept_secret_key(data_dir))


class _Reader:
    """Turns text into typed values and collects every problem, so that all are shown at once."""

    def __init__(self, raw: Mapping[str, str]) -> None:
        self._raw = raw
        self.problems: list[str] = []

    def text(self, name: str, default: str) -> str:
        return self._raw.get(name, "") or default

    def host(self, name: str, default: str) -> str:
        host = self.text(name, default).removeprefix("[").removesuffix("]")
        if not re.fullmatch(r"[A-Za-z0-9._:%-]+", host):
            self.problems.append(
                f"{name} is {host!r}; expected a host name or an IP address, without a port."
            )
        return host

    def number(self, name: str, default: int, lowest: int, highest: int) -> int:
        text = self.text(name, str(default))
        if re.fullmatch(r"[0-9]{1,9}", text) and lowest <= int(text) <= highest:
            return int(text)
        self.problems.append(f"{name} is {text!r}; expected a whole number from {lowest} to {highest}.")
        return default

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        text = self.text(name, default).upper()
        if text not in allowed:
            self.problems.append(f"{name} is {text!r}; expected one of {', '.join(allowed)}.")
        return text

    def signup(self, default: Literal["open", "closed"]) -> Literal["open", "closed"]:
        text = self.text("SIGNUP", default).lower()
        if text == "open":
            return "open"
        if text != "closed":
            self.problems.append(f"SIGNUP is {text!r}; expected open or closed.")
        return "closed"

    def rate(self, name: str, default: str, loopback: bool) -> str | None:
        text = self.text(name, default).lower()
        if text == "off":
            if not loopback:
                self.problems.append(
                    f"{name} is off, which is only allowed while HOST is a loopback address. Set for example {default}."
                )
            return None
        if not _RATE.match(text):
            self.problems.append(
                f"{name} is {text!r}; expected a number per s, m, h or d, such as {default}, or off."
            )
        return text

    def folder(self, name: str, default: str) -> Path:
        text = self.text(name, default)
        if "\0" in text:
            self.problems.append(f"{name} contains a NUL character; expected the path of a folder.")
            text = default
        # Relative to the repository, not to the current folder: manage.py is often called inside backend/.
        return REPOSITORY_ROOT / Path(text).expanduser()

    def check_exposure(
        self, host: str, loopback: bool, secret_key: str, allowed_hosts: tuple[str, ...]
    ) -> None:
        if loopback:
            return
        if not secret_key:
            self.problems.append(
                f"SECRET_KEY is empty, but HOST is {host}, which other machines can reach."
                " Set SECRET_KEY to a long random text."
            )
        elif len(secret_key) < SHORTEST_SECRET_KEY:
            self.problems.append(
                f"SECRET_KEY has {len(secret_key)} characters, but HOST is {host}, which other machines can reach."
                f" Set SECRET_KEY to a random text of at least {SHORTEST_SECRET_KEY} characters."
            )
        if not allowed_hosts:
            self.problems.append(
                f"ALLOWED_HOSTS is empty, but HOST is {host}, which other machines can reach."
                " Set ALLOWED_HOSTS to the names people use in the browser, separated by commas."
            )


def _kept_secret_key(data_dir: Path) -> str:
    """The key in DATA_DIR/secret_key, made on first use. Safe when several processes start at once."""
    path = data_dir / "secret_key"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            # Written in full under another name first: a reader never sees half a key, and `link` refuses to
            # replace a key that another process has put there in the meantime.
            draft = data_dir / f".secret_key.{os.getpid()}.{secrets.token_hex(4)}"
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.write(secrets.token_urlsafe(50) + "\n")
                with contextlib.suppress(FileExistsError):  # another process's key is as good as ours
                    os.link(draft, path)
            finally:
                draft.unlink()
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise ConfigurationError(
            f"DATA_DIR is {data_dir}, but {path.name} cannot be kept there: {reason}."
            " Set DATA_DIR to a folder that you may write to."
        ) from error
    if len(key) < 32:
        raise ConfigurationError(
            f"{path} holds no usable key. Delete the file; a new key is made at the next start."
        )
    return key
