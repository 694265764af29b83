# SPDX-FileCopyrightText: 2026 The Penstock authors
# SPDX-License-Identifier: Apache-2.0
"""Fills a role's settings dataclass from flags, then ``PENSTOCK_<ROLE>_*``, then a YAML file, then its defaults.

pydantic-settings reads the sources and pydantic validates; unknown keys are errors, and an error names the field and
where its value came from.
"""

from __future__ import annotations

import dataclasses
import os
import typing
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import Field, ValidationError, create_model
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Settings = TypeVar("Settings")


class SettingsError(ValueError):
    """Settings that no role can start with; the message has a line per field."""


def load(
    kind: type[Settings],
    *,
    role: str,
    flags: Mapping[str, Any] | None = None,
    file: Path | None = None,
) -> Settings:
    """Builds ``kind`` for ``role``. ``flags`` win; a value of None means that the flag was not given.

    Raises SettingsError for unreadable files, unknown keys (in the file or as ``PENSTOCK_<ROLE>_X``) and bad values.
    """
    prefix = f"PENSTOCK_{role.upper()}_"
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    known = {prefix + name.upper() for name in fields}
    unknown = sorted(name for name in os.environ if name.startswith(prefix) and name.upper() not in known)
    if unknown:
        raise SettingsError(f"{unknown[0]}: no setting of the {role} has this name")
    if file is not None and not file.is_file():
        raise SettingsError(f"{file}: no such file")

    given = {name: value for name, value in (flags or {}).items() if value is not None}
    model = _model(kind, role=role, prefix=prefix, file=file)
    try:
        values = model(**given)
    except ValidationError as error:
        raise SettingsError(
            "\n".join(_line(each, prefix=prefix, given=given, file=file) for each in error.errors())
        ) from error
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise SettingsError(f"{file or role}: {error}") from error
    try:
        return kind(**{name: getattr(values, name) for name in fields})
    except ValueError as error:
        # A settings class may check in __post_init__ what types cannot say.
        raise SettingsError(f"{role}: {error}") from error


def _model(kind: type[Any], *, role: str, prefix: str, file: Path | None) -> type[BaseSettings]:
    class Sources(BaseSettings):
        model_config = SettingsConfigDict(
            env_prefix=prefix, extra="forbid", yaml_file=file, arbitrary_types_allowed=True, env_ignore_empty=True
        )

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, YamlConfigSettingsSource(settings_cls)

    types = typing.get_type_hints(kind)
    fields: dict[str, Any] = {
        field.name: (types[field.name], Field(default=field.default, description=field.metadata.get("help")))
        for field in dataclasses.fields(kind)
    }
    return create_model(f"{role.title()}Settings", __base__=Sources, **fields)


def _line(error: Any, *, prefix: str, given: Mapping[str, Any], file: Path | None) -> str:
    path = ".".join(str(part) for part in error["loc"]) or "settings"
    top = str(error["loc"][0]) if error["loc"] else ""
    if top in given:
        origin = f"--{path.replace('_', '-')}"
    elif prefix + top.upper() in os.environ:
        origin = prefix + path.upper()
    else:
        origin = f"{file}: {path}" if file else path
    return f"{origin}: {error['msg']}"
