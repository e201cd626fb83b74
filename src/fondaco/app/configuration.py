"""What every command begins with: its settings and its log. What is wrong with a setting is said in one sentence."""

import os
import tomllib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from fondaco.infra import log
from fondaco.infra.errors import UserError
from fondaco.infra.settings import Settings


def begin(process: str, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Load the settings and set up the log. Raises `UserError` when a setting is wrong."""
    settings = load_settings(overrides)
    log.configure(settings.log_level, settings.log_format, process=process)
    return settings


def load_settings(overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings: overrides over environment over file over default. Raises `UserError` when one is wrong."""
    try:
        return Settings(**(overrides or {}))
    except ValidationError as error:
        raise UserError(_sentence(error)) from None
    except SettingsError as error:
        raise UserError(f"A setting in the environment cannot be read: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{os.environ.get('FONDACO_CONFIG', 'fondaco.toml')} cannot be read: {error}.") from None


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong. Values are not repeated: one may be a password."""
    first = error.errors(include_url=False, include_input=False)[0]
    path = [str(each) for each in first["loc"]]
    variable = path[0] if path[0] == "DATABASE_URL" else "FONDACO_" + "__".join(path).upper()
    if first["type"] == "extra_forbidden":
        return f"There is no setting {'.'.join(path)} ({variable}): docs/settings.md lists all."
    return f"The setting {'.'.join(path)} ({variable}) is wrong: {first['msg']}."
