"""Settings: what is read, what is refused, and that the pages say the same."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from connector import config
from connector.errors import SettingError

ROOT = Path(__file__).parents[2]
KEY = base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=").decode()
SECRET = "hunter2-" * 5


def an_environment(**changed: str) -> dict[str, str]:
    required = {
        "SECRET_KEY": SECRET,
        "TOKEN_ENCRYPTION_KEYS": f"k1:{KEY}",
        "PUBLIC_URL": "https://connector.example.com",
    }
    return {**required, **changed}


def problems(**changed: str) -> tuple[str, ...]:
    with pytest.raises(SettingError) as caught:
        config.load(an_environment(**changed))
    return caught.value.problems


def loaded(name: str, value: str) -> Any:
    return getattr(config.load(an_environment(**{name: value})), name.lower())


def test_required_settings_alone_are_enough() -> None:
    settings = config.load(an_environment())

    assert settings.token_encryption_keys == (("k1", bytes(range(32))),)
    assert settings.database_url == "sqlite:///data/connector.db"
    assert settings.redis_url == ""
    assert settings.sign_up == "operator"
    assert settings.whop_redirect_uri == "https://connector.example.com/oauth/whop/callback"
    assert settings.whop_sync_enabled is True
    assert (settings.whop_sync_interval_minutes, settings.whop_sync_batch_size) == (60, 100)
    assert (settings.http_connect_timeout_seconds, settings.http_read_timeout_seconds) == (5.0, 30.0)
    assert settings.allowed_private_hosts == ()


def test_every_missing_setting_is_named_at_once() -> None:
    with pytest.raises(SettingError) as caught:
        config.load({"WHOP_SYNC_BATCH_SIZE": "many"})

    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "SECRET_KEY",
        "TOKEN_ENCRYPTION_KEYS",
        "PUBLIC_URL",
        "WHOP_SYNC_BATCH_SIZE",
    ]


def test_a_problem_says_what_was_expected_and_found() -> None:
    assert problems(WHOP_SYNC_BATCH_SIZE="101") == (
        "WHOP_SYNC_BATCH_SIZE: expected a whole number from 1 to 100, found '101'.",
    )


def test_a_blank_setting_counts_as_not_set() -> None:
    assert loaded("WHOP_SYNC_BATCH_SIZE", "  ") == 100
    assert problems(SECRET_KEY=" ")[0].startswith(
        "SECRET_KEY: expected at least 32 characters, found nothing"
    )


def test_a_missing_setting_points_at_its_near_miss() -> None:
    environ = an_environment(TOKEN_ENCRYPTION_KEY=f"k1:{KEY}")
    del environ["TOKEN_ENCRYPTION_KEYS"]

    with pytest.raises(SettingError, match="TOKEN_ENCRYPTION_KEY is set: is it meant"):
        config.load(environ)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PUBLIC_URL", "https://Connector.example.com/", "https://connector.example.com"),
        ("PUBLIC_URL", "http://localhost:8080", "http://localhost:8080"),
        ("PUBLIC_URL", "http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("PUBLIC_URL", "http://[::1]:8080", "http://[::1]:8080"),
        ("DATABASE_URL", "postgres://u:p@db/n", "postgresql+psycopg://u:p@db/n"),
        ("DATABASE_URL", "postgresql://u:p@db/n?host=/run", "postgresql+psycopg://u:p@db/n?host=/run"),
        ("DATABASE_URL", "postgresql+psycopg://db/n", "postgresql+psycopg://db/n"),
        ("DATABASE_URL", "sqlite:////var/lib/c.db", "sqlite:////var/lib/c.db"),
        ("REDIS_URL", "unix:///run/redis.sock?db=0", "unix:///run/redis.sock?db=0"),
        ("REDIS_URL", "rediss://cache:6380", "rediss://cache:6380"),
        ("SIGN_UP", "OPEN", "open"),
        ("SIGN_UP_HOSTS", "Acme.twenty.com, crm.example.com,", ("acme.twenty.com", "crm.example.com")),
        ("WHOP_API_URL", "http://localhost:9000/api/v1/", "http://localhost:9000/api/v1"),
        ("WHOP_SYNC_ENABLED", "No", False),
        ("WHOP_SYNC_ENABLED", "on", True),
        ("WHOP_SYNC_INTERVAL_MINUTES", "5", 5),
        ("HTTP_READ_TIMEOUT_SECONDS", "2.5", 2.5),
        (
            "ALLOWED_PRIVATE_HOSTS",
            "twenty.internal, localhost:3000, 10.0.0.0/8, [::1]:3000, ::1, fd00::/8",
            ("twenty.internal", "localhost:3000", "10.0.0.0/8", "[::1]:3000", "::1", "fd00::/8"),
        ),
        ("LOG_LEVEL", "WARNING", "warning"),
    ],
)
def test_fitting_values_are_read(name: str, value: str, expected: object) -> None:
    assert loaded(name, value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "http://connector.example.com"),
        ("PUBLIC_URL", "http://localhost.example.com"),
        ("PUBLIC_URL", "https://connector.example.com/path"),
        ("PUBLIC_URL", "https://user:hunter2@connector.example.com"),
        ("PUBLIC_URL", "https://connector.example.com:port"),
        ("PUBLIC_URL", "connector.example.com"),
        ("DATABASE_URL", "mysql://u:hunter2@db/n"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "data/connector.db"),
        ("REDIS_URL", "localhost:6379"),
        ("SIGN_UP", "everybody"),
        ("SIGN_UP_HOSTS", "https://acme.twenty.com"),
        ("WHOP_API_URL", "api.whop.com"),
        ("WHOP_SYNC_ENABLED", "maybe"),
        ("WHOP_SYNC_INTERVAL_MINUTES", "4"),
        ("WHOP_SYNC_INTERVAL_MINUTES", "1441"),
        ("WHOP_SYNC_INTERVAL_MINUTES", "60.0"),
        ("HTTP_READ_TIMEOUT_SECONDS", "0"),
        ("HTTP_READ_TIMEOUT_SECONDS", "nan"),
        ("ALLOWED_PRIVATE_HOSTS", "10.0.0.0/99"),
        ("ALLOWED_PRIVATE_HOSTS", "localhost:99999"),
        ("ALLOWED_PRIVATE_HOSTS", "http://localhost"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_unfit_values_are_named(name: str, value: str) -> None:
    (problem,) = problems(**{name: value})

    assert problem.startswith(f"{name}: expected ")
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (KEY, "no id and colon before key number 1"),
        (f"k1:{KEY},{KEY}", "no id and colon before key number 2"),
        (f"k 1:{KEY}", "no id and colon"),
        (f"k1:{KEY[:-5]}", "key 'k1' of "),
        (f"k1:{KEY[:-1]}!", "key 'k1', which is not base64url"),
        (f"k1:{KEY},k1:{KEY}", "the id 'k1' twice"),
        (",", "no key"),
    ],
)
def test_unfit_keys_are_described_not_shown(value: str, found: str) -> None:
    (problem,) = problems(TOKEN_ENCRYPTION_KEYS=value)

    assert found in problem
    assert KEY[:8] not in problem


@pytest.mark.parametrize("name", [setting.name for setting in config.TABLE if setting.secret])
def test_an_unfit_secret_is_never_shown(name: str) -> None:
    (problem,) = problems(**{name: "hunter2\x07"})

    assert problem.startswith(name)
    assert "hunter2" not in problem


def test_allowed_hosts_need_hosts() -> None:
    assert "SIGN_UP_HOSTS" in problems(SIGN_UP="allowed-hosts")[0]
    config.load(an_environment(SIGN_UP="allowed-hosts", SIGN_UP_HOSTS="acme.twenty.com"))


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("whop-key\n")

    assert config.load(an_environment(WHOP_API_KEY_FILE=str(file))).whop_api_key == "whop-key"


def test_a_secret_file_that_fails_is_named(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\n")
    binary.write_bytes(b"\xff\xfe")

    assert "cannot be read (No such file" in problems(WHOP_API_KEY_FILE=str(tmp_path / "absent"))[0]
    assert "is empty" in problems(WHOP_API_KEY_FILE=str(empty))[0]
    assert "not a text file" in problems(WHOP_API_KEY_FILE=str(binary))[0]


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(WHOP_API_KEY="one", WHOP_API_KEY_FILE=str(tmp_path))

    assert problem == "WHOP_API_KEY and WHOP_API_KEY_FILE are both set: keep one of them."


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("HOME=/elsewhere\nWORKERS=3\nWEB_PORT=9000\nWHOP_API_KEY='pa$$w${ord}'\nEMPTY\n")

    merged = config.environment({"WORKERS": "4", "HOME": "/root"}, file)

    assert merged == {"WORKERS": "4", "HOME": "/root", "WEB_PORT": "9000", "WHOP_API_KEY": "pa$$w${ord}"}


def test_a_secret_file_wins_over_the_secret_in_the_env_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("WHOP_API_KEY=old\n")

    assert "WHOP_API_KEY" not in config.environment({"WHOP_API_KEY_FILE": "/run/secrets/key"}, file)


def test_no_env_file_is_no_settings(tmp_path: Path) -> None:
    assert config.read_env_file(tmp_path / ".env") == {}


def test_mistyped_names_get_a_hint() -> None:
    environ = an_environment(
        WHOP_SYNC_INTERVAL="30",
        DATABASE_URI="x",
        WHOP_ZZZ="x",
        PATH="/bin",
        HTTP_PROXY="x",
        SECRET_KEY_FILE="",
    )

    assert config.unknown_names(environ) == [
        "DATABASE_URI is not a setting. Did you mean DATABASE_URL?",
        "WHOP_SYNC_INTERVAL is not a setting. Did you mean WHOP_SYNC_INTERVAL_MINUTES?",
        "WHOP_ZZZ is not a setting.",
    ]


def test_shown_settings_hide_every_secret() -> None:
    settings = config.load(
        an_environment(
            WHOP_API_KEY=SECRET,
            DATABASE_URL=f"postgresql://user:{SECRET}@db/name?sslpassword={SECRET}",
            REDIS_URL=f"redis://:{SECRET}@cache/0",
            WORKERS="3",
        )
    )
    shown = {line.name: line for line in config.masked(settings)}

    assert "hunter2" not in repr(shown) + repr(settings)
    assert KEY not in repr(shown) + repr(settings)
    assert shown["WHOP_API_KEY"].value == "set"
    assert shown["WHOP_CLIENT_SECRET"].value == "not set"
    assert shown["DATABASE_URL"].value == "postgresql+psycopg://user:***@db/name?***"
    assert shown["REDIS_URL"].value == "redis://:***@cache/0"
    assert (shown["WORKERS"].value, shown["WORKERS"].is_default) == ("3", False)
    assert (shown["WEB_PORT"].value, shown["WEB_PORT"].is_default) == ("8080", True)
    assert shown["SECRET_KEY"].is_default is False


def test_defaults_are_shown_as_they_are_written() -> None:
    shown = {line.name: line.value for line in config.masked(config.load(an_environment()))}

    for setting in config.TABLE:
        if setting.default:
            assert shown[setting.name] == setting.default


def test_every_setting_has_help_and_no_secret_has_a_default() -> None:
    for setting in config.TABLE:
        assert setting.help.endswith("."), setting.name
        assert not (setting.secret and setting.default), setting.name


@pytest.mark.parametrize(
    ("path", "rendered"),
    [("docs/settings.md", config.render_settings_page()), (".env.example", config.render_env_example())],
)
def test_committed_pages_match_the_table(path: str, rendered: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == rendered, "run: python -m connector.config"


def test_the_example_file_asks_for_what_is_required(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(config.render_env_example())
    with pytest.raises(SettingError) as caught:
        config.load(config.read_env_file(file))

    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "SECRET_KEY",
        "TOKEN_ENCRYPTION_KEYS",
    ]


def test_every_line_of_the_example_file_would_load() -> None:
    optional = re.sub(r"(?m)^# (?=[A-Z_]+=)", "", config.render_env_example())
    given = dict(line.split("=", 1) for line in optional.splitlines() if re.match(r"[A-Z_]+=.", line))

    config.load({**given, **an_environment()})
