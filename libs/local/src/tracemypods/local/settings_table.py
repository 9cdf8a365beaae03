"""What a settings class reads, as rows of a table in a document."""

from __future__ import annotations

import json
from typing import cast

from tracemypods.kit.settings import ServiceSettings, variable_name


def describe(settings_class: type[ServiceSettings]) -> list[tuple[str, str, str]]:
    """Rows of (variable, default or "required", meaning) for a service's README."""
    rows: list[tuple[str, str, str]] = []
    for name, field in settings_class.model_fields.items():
        default = cast("object", field.default)
        if field.is_required():
            shown = "required"
        elif default is None or default == "" or default == ():
            shown = "not set"
        elif isinstance(default, tuple):
            shown = f"`{json.dumps(default)}`"
        else:
            shown = f"`{default}`"
        rows.append((variable_name(settings_class, name), shown, field.description or ""))
    return rows
