"""What each setting may be, and what a person is told when it is something else."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from backend.config.environment import (
    REPOSITORY_ROOT,
    SETTING_NAMES,
    ConfigurationError,
    Environment,
    load_environment,
    read_env_file,
)

ELSEWHERE = {"HOST": "0.0.0.0", "SECRET_KEY": "k" * 50, "ALLOWED_HOSTS": "chat.example.org"}


def load(**settings: str) -> Environment:
    return load_environment({"SECRET_KEY": "k" * 50, **settings}, None)


def problem(**settings: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_environment({"SECRET_KEY": "k" * 50, **settings}, None)
    return caught.value.message


def test_without_settings_everything_has_its_documented_default() -> None:
    environment = load()
    assert (environment.host, environment.port) == ("127.0.0.1", 8000)
    assert environment.data_dir == REPOSITORY_ROOT / "var"
    assert environment.database_url == environment.model_runner_url == environment.mail.url == ""
    assert (environment.signup, environment.signup_rate, environment.login_rate) == ("open", "20/m", "30/m")
    assert environment.log_level == "INFO"
    assert (environment.web_workers, environment.model_call_workers, environment.projection_workers) == (
        1,
        1,
        1,
    )
    assert "127.0.0.1" in environment.allowed_hosts


def test_every_documented_setting_stands_in_the_example_file() -> None:
    example = (REPOSITORY_ROOT / ".env.example").read_text(encoding="utf-8")
    assert [name for name in SETTING_NAMES if f"#{name}=" not in example] == []


@pytest.mark.parametrize("url", ["http://h:12434/engines/v1", "http://h:12434/engines/v1/", "https://h/v1//"])
def test_a_runner_url_loses_its_trailing_slash(url: str) -> None:
    assert load(MODEL_RUNNER_URL=url).model_runner_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["http://h:1/engines", "ftp://h/v1", "h/v1", "http:///v1", "http://h/v1?x=1", "http://h:99999/v1"]
)
def test_another_runner_url_is_refused_by_name(url: str) -> None:
    assert problem(MODEL_RUNNER_URL=url).startswith("MODEL_RUNNER_URL is ")


def test_a_refused_runner_url_does_not_show_its_password() -> None:
    assert "secret" not in problem(MODEL_RUNNER_URL="http://me:secret@h/wrong")


@pytest.mark.parametrize("url", ["mysql://u:secret@h/n", "sqlite:///x", "nonsense"])
def test_another_database_than_postgresql_is_refused(url: str) -> None:
    text = problem(DATABASE_URL=url)
    assert text.startswith("DATABASE_URL has the scheme ")
    assert "secret" not in text


@pytest.mark.parametrize("port", ["0", "65536", "abc", "-1", "80.5", "８０"])
def test_a_port_is_a_number_from_1_to_65535(port: str) -> None:
    assert problem(PORT=port) == f"PORT is {port!r}; expected a whole number from 1 to 65535."


@pytest.mark.parametrize("name", ["WEB_WORKERS", "MODEL_CALL_WORKERS", "PROJECTION_WORKERS"])
def test_there_is_at_least_one_worker_of_each_kind(name: str) -> None:
    assert problem(**{name: "0"}).startswith(f"{name} is '0'; ")


def test_all_problems_are_told_at_once_one_line_each() -> None:
    lines = problem(PORT="x", SIGNUP="maybe", LOG_LEVEL="loud", SIGNUP_RATE="often").splitlines()
    assert sorted(line.split()[0] for line in lines) == ["LOG_LEVEL", "PORT", "SIGNUP", "SIGNUP_RATE"]


def test_an_address_that_others_can_reach_needs_a_key_and_names() -> None:
    text = problem(HOST="0.0.0.0", SECRET_KEY="")
    assert [line.split()[0] for line in text.splitlines()] == ["SECRET_KEY", "ALLOWED_HOSTS"]
    assert load(**ELSEWHERE).signup == "closed"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost"])
def test_loopback_needs_neither(host: str) -> None:
    assert load(HOST=host).is_loopback


@pytest.mark.parametrize("name", ["SIGNUP_RATE", "LOGIN_RATE"])
def test_rates_can_be_off_on_loopback_only(name: str) -> None:
    assert getattr(load(**{name: "off"}), name.lower()) is None
    assert problem(**ELSEWHERE, **{name: "off"}).startswith(
        f"{name} is off, which is only allowed while HOST"
    )


def test_the_key_is_made_once_and_kept_closed(tmp_path: Path) -> None:
    found: list[str] = []

    def load_it() -> None:
        found.append(load_environment({"DATA_DIR": str(tmp_path / "new")}, None).secret_key)

    threads = [threading.Thread(target=load_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(found[0]) >= 50
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret_key"]
    assert stat.S_IMODE((tmp_path / "new" / "secret_key").stat().st_mode) == 0o600


def test_a_data_folder_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError) as caught:
        load_environment({"DATA_DIR": str(tmp_path / "file")}, None)
    assert caught.value.message.startswith(f"DATA_DIR is {tmp_path / 'file'}, but ")
    assert "\n" not in caught.value.message


def test_the_env_file_knows_quotes_and_comments_and_loses_to_the_environment(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# a comment\n\nPORT=8001 # the port\nexport LOG_LEVEL='debug'\n"
        'MODEL_RUNNER_API_KEY="a\\"b # c\\\\"  # quoted\nSECRET_KEY=with#hash-and-much-more-text-behind-it\nUNKNOWN=1\n'
    )
    assert read_env_file(file)["MODEL_RUNNER_API_KEY"] == 'a"b # c\\'
    environment = load_environment({"PORT": "8002"}, file)
    assert (environment.port, environment.log_level) == (8002, "DEBUG")
    assert environment.secret_key == "with#hash-and-much-more-text-behind-it"


@pytest.mark.parametrize("line", ["PORT", "PORT='1", 'PORT="1', "=1"])
def test_a_broken_line_of_the_env_file_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(f"# first\n{line}\n")
    with pytest.raises(ConfigurationError, match=r"Line 2 of .*\.env"):
        load_environment({}, tmp_path / ".env")


@pytest.mark.parametrize(
    ("setting", "whose", "expected"),
    [
        ("", "BUILT_IN_RUNNER_URL", True),
        ("", "MODEL_RUNNER_URL", False),
        ("auto", "BUILT_IN_RUNNER_URL", True),
        ("auto", "MODEL_RUNNER_URL", False),
        ("yes", "MODEL_RUNNER_URL", True),
        ("YES", "BUILT_IN_RUNNER_URL", True),
        ("no", "BUILT_IN_RUNNER_URL", False),
    ],
)
def test_whether_the_runner_continues_replies_is_known_of_the_built_in_one_and_told_of_others(
    setting: str, whose: str, expected: bool
) -> None:
    environment = load(**{whose: "http://localhost:12434/v1", "MODEL_RUNNER_CONTINUES": setting})
    assert environment.model_runners[0].continues is expected


def test_the_built_in_runner_may_run_elsewhere_and_gives_way_to_one_that_was_chosen() -> None:
    environment = load(BUILT_IN_RUNNER_URL="http://model-runner:8080/v1/", MODEL_SLOTS="3")
    [runner] = environment.model_runners
    assert (runner.url, runner.kind, runner.limit) == ("http://model-runner:8080/v1", "built-in", 3)
    assert environment.runner_is_built_in

    chosen = load(BUILT_IN_RUNNER_URL="http://model-runner:8080/v1", MODEL_RUNNER_URL="http://gpu:8000/v1")
    assert (chosen.model_runner_url, chosen.runner_is_built_in) == ("http://gpu:8000/v1", False)
    assert not load().runner_is_built_in
    assert problem(BUILT_IN_RUNNER_URL="http://model-runner").startswith("BUILT_IN_RUNNER_URL is ")


def test_what_listens_everywhere_but_is_published_on_this_machine_only_counts_as_this_machine_s() -> None:
    inside = {"HOST": "0.0.0.0", "ALLOWED_HOSTS": "", "SECRET_KEY": "k" * 50}
    environment = load(**inside, PUBLISHED_HOST="127.0.0.1")
    assert (environment.host, environment.is_loopback, environment.signup) == ("0.0.0.0", True, "open")
    assert "localhost" in environment.allowed_hosts

    published = {**ELSEWHERE, "HOST": "127.0.0.1", "PUBLISHED_HOST": "192.0.2.7"}
    assert not load(**published).is_loopback
    assert load(**published).signup == "closed"
    assert "HOST is 192.0.2.7, which other machines can reach" in problem(
        **{**published, "ALLOWED_HOSTS": ""}
    )
    assert problem(PUBLISHED_HOST="http://x").startswith("PUBLISHED_HOST is 'http://x'")


def test_another_word_for_whether_the_runner_continues_is_refused() -> None:
    text = problem(MODEL_RUNNER_CONTINUES="perhaps")
    assert text == "MODEL_RUNNER_CONTINUES is 'perhaps'; expected one of auto, yes, no."


def test_without_settings_there_is_one_built_in_runner_limited_to_its_slots() -> None:
    [runner] = load(MODEL_SLOTS="3").model_runners
    assert (runner.name, runner.url, runner.kind, runner.limit, runner.continues) == (
        "built-in",
        "",
        "built-in",
        3,
        True,
    )
    assert runner.reports_progress


def test_a_runner_of_ones_own_goes_by_its_host_and_has_no_limit() -> None:
    [runner] = load(MODEL_RUNNER_URL="http://ann:secret@gpu.example:8000/v1/").model_runners
    assert (runner.name, runner.url) == ("gpu.example:8000", "http://ann:secret@gpu.example:8000/v1")
    assert (runner.kind, runner.limit, runner.continues) == ("openai-compatible", None, False)


@pytest.mark.parametrize("host", ["[::1]:8080", f"{'a' * 70}.example"])
def test_a_host_that_cannot_be_a_name_is_not_the_runners_name(host: str) -> None:
    [runner] = load(MODEL_RUNNER_URL=f"http://{host}/v1").model_runners
    assert (runner.name, runner.url) == ("model-runner", f"http://{host}/v1")


def test_the_built_in_runner_is_of_its_own_kind_whatever_is_left_over_from_another_one() -> None:
    [runner] = load(MODEL_RUNNER_KIND="ollama").model_runners
    assert (runner.kind, runner.continues, runner.reports_progress) == ("built-in", True, True)


def test_further_runners_have_variables_of_their_own() -> None:
    first, gpu, old_laptop = load(
        MODEL_RUNNER_NAME="here",
        MODEL_RUNNERS="gpu, old-laptop",
        MODEL_RUNNER_GPU_URL="http://gpu:8000/v1",
        MODEL_RUNNER_GPU_API_KEY=" key ",
        MODEL_RUNNER_GPU_KIND="vLLM",
        MODEL_RUNNER_GPU_LIMIT="8",
        MODEL_RUNNER_OLD_LAPTOP_URL="http://laptop:11434/v1",
        MODEL_RUNNER_OLD_LAPTOP_KIND="ollama",
        MODEL_RUNNER_OLD_LAPTOP_CONTINUES="yes",
    ).model_runners
    assert first.name == "here"
    assert (gpu.name, gpu.api_key, gpu.kind, gpu.limit, gpu.continues) == ("gpu", "key", "vllm", 8, False)
    assert (old_laptop.name, old_laptop.kind, old_laptop.limit, old_laptop.continues) == (
        "old-laptop",
        "ollama",
        None,
        True,
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"MODEL_RUNNERS": "gpu"}, "MODEL_RUNNER_GPU_URL is not set"),
        ({"MODEL_RUNNERS": "GPU"}, "MODEL_RUNNERS names 'GPU'"),
        ({"MODEL_RUNNERS": "gpu gpu", "MODEL_RUNNER_GPU_URL": "http://gpu/v1"}, "the name of another runner"),
        ({"MODEL_RUNNERS": "built-in", "MODEL_RUNNER_BUILT_IN_URL": "http://gpu/v1"}, "the name of another runner"),
        ({"MODEL_RUNNERS": "gpu", "MODEL_RUNNER_GPU_URL": "gpu:8000"}, "or take gpu out of MODEL_RUNNERS"),
        ({"MODEL_RUNNERS": "gpu", "MODEL_RUNNER_GPU_URL": "http://gpu/v1", "MODEL_RUNNER_GPU_KIND": "tgi"}, "is 'tgi'"),
        ({"MODEL_RUNNER_LIMIT": "0"}, "MODEL_RUNNER_LIMIT is '0'; expected a whole number from 1 to 1000"),
        ({"MODEL_RUNNER_API_KEY": "schlüssel"}, "MODEL_RUNNER_API_KEY holds characters that an HTTP header cannot carry"),
        ({"MODEL_RUNNER_SILENCE_TIMEOUT": "0"}, "expected a whole number of seconds from 1 to 86400"),
        ({"MODEL_RUNNER_FIRST_TOKEN_TIMEOUT": "5m"}, "MODEL_RUNNER_FIRST_TOKEN_TIMEOUT is '5m'; expected"),
        ({"MODEL_RUNNER_NAME": "a::b"}, "without two colons in a row"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_runner_is_named(settings: dict[str, str], words: str) -> None:
    assert words in problem(**settings)


def test_how_long_a_runner_is_waited_for_holds_for_all_of_them() -> None:
    [runner] = load().model_runners
    assert (runner.first_token_timeout_s, runner.silence_timeout_s) == (310, 60)
    runners = load(
        MODEL_RUNNER_FIRST_TOKEN_TIMEOUT="900",
        MODEL_RUNNER_SILENCE_TIMEOUT="20",
        MODEL_RUNNERS="gpu",
        MODEL_RUNNER_GPU_URL="http://gpu/v1",
    ).model_runners
    assert [(one.first_token_timeout_s, one.silence_timeout_s) for one in runners] == [(900, 20)] * 2
