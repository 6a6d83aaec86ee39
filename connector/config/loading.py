"""From an environment to Settings: every problem is found before any is reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from connector.errors import SettingError

from .kinds import UnfitError
from .table import TABLE, Setting, Settings

_NAMES = {setting.name for setting in TABLE} | {f"{setting.name}_FILE" for setting in TABLE if setting.hidden}
_OUR_PREFIXES = ("WHOP_", "SIGN_UP", "TOKEN_ENCRYPTION", "ALLOWED_PRIVATE", "MAPPINGS_")


class _ProblemError(Exception):
    """One setting is wrong; the message is the sentence for the operator."""


def read_env_file(path: Path) -> dict[str, str]:
    """The settings a .env file gives; none where there is no file. ``${…}`` is taken literally."""
    if not path.is_file():
        return {}
    return {
        name: value for name, value in dotenv_values(path, interpolate=False).items() if value is not None
    }


def environment(environ: Mapping[str, str], env_file: Path) -> dict[str, str]:
    """The environment with the file's settings beneath it: what the environment says wins."""
    beneath = read_env_file(env_file)
    for setting in TABLE:
        names = (setting.name, f"{setting.name}_FILE")
        # A secret given in one form must not meet the file's other form and be called given twice.
        if any(environ.get(name) for name in names):
            beneath = {name: value for name, value in beneath.items() if name not in names}
    return {**beneath, **environ}


def load(environ: Mapping[str, str]) -> Settings:
    """Raises one SettingError that names every setting that is missing or wrong."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for setting in TABLE:
        try:
            values[setting.attribute] = _value(setting, environ)
        except _ProblemError as problem:
            problems.append(str(problem))
    problems += _contradictions(values)
    if problems:
        raise SettingError(problems)
    return _with_derived(Settings(**values))


def unknown_names(environ: Mapping[str, str]) -> list[str]:
    """A warning for each name that looks like one of ours, or nearly is one, but is not."""
    return [
        f"{name} is not a setting." + _hint(name)
        for name in sorted(environ)
        if _looks_mistyped(name, environ)
    ]


def _looks_mistyped(name: str, environ: Mapping[str, str]) -> bool:
    if name in _NAMES:
        return False
    close = get_close_matches(name, _NAMES, n=1, cutoff=0.9)
    return name.startswith(_OUR_PREFIXES) or bool(close and not environ.get(close[0]))


def _hint(name: str) -> str:
    close = get_close_matches(name, sorted(_NAMES), n=1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""


def _value(setting: Setting, environ: Mapping[str, str]) -> Any:
    found = _found(setting, environ)
    if found:
        return _read(setting, found)
    if setting.default is not None:
        return setting.default_value
    raise _ProblemError(
        f"{setting.name}: expected {setting.kind.expected}, found nothing.{_near_miss(setting, environ)}"
    )


def _near_miss(setting: Setting, environ: Mapping[str, str]) -> str:
    others = [name for name in environ if name not in _NAMES and environ[name]]
    close = get_close_matches(setting.name, others, n=1, cutoff=0.85)
    return f" ({close[0]} is set: is it meant?)" if close else ""


def _read(setting: Setting, found: str) -> Any:
    try:
        return setting.kind.read(found)
    except UnfitError as unfit:
        raise _ProblemError(f"{setting.name}: expected {setting.kind.expected}, found {unfit}.") from None


def _found(setting: Setting, environ: Mapping[str, str]) -> str:
    direct = environ.get(setting.name, "").strip()
    path = environ.get(f"{setting.name}_FILE", "").strip() if setting.hidden else ""
    if direct and path:
        raise _ProblemError(f"{setting.name} and {setting.name}_FILE are both set: keep one of them.")
    return _file_text(setting, Path(path)) if path else direct


def _file_text(setting: Setting, path: Path) -> str:
    try:
        content = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise _ProblemError(f"{setting.name}_FILE: {path} is not a text file.") from None
    except OSError as err:
        raise _ProblemError(f"{setting.name}_FILE: {path} cannot be read ({err.strerror}).") from err
    if not content:
        raise _ProblemError(f"{setting.name}_FILE: {path} is empty.")
    return content


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    if values.get("sign_up") == "allowed-hosts" and values.get("sign_up_hosts") == ():
        return ["SIGN_UP_HOSTS: expected host names, because SIGN_UP is allowed-hosts, found nothing."]
    return []


def _with_derived(settings: Settings) -> Settings:
    if settings.whop_redirect_uri:
        return settings
    return replace(settings, whop_redirect_uri=f"{settings.public_url}/oauth/whop/callback")
