"""The page ``docs/settings.md``, made from the table: ``python -m otel_kit.setup.page > docs/settings.md``."""

from __future__ import annotations

from typing import Any

from otel_kit.setup.shown import in_unit
from otel_kit.setup.table import GROUPS, Setting

INTRODUCTION = """\
# Settings

<!-- Made from the table in otel_kit/setup/table.py: python -m otel_kit.setup.page > docs/settings.md -->

Every setting has one name. It is a keyword argument of `init_telemetry`, a key of `[tool.otel_kit]` in
pyproject.toml, and most have an environment variable. The first of these that has it wins:

1. the keyword argument: `otel_kit.init_telemetry("checkout", console="json")`;
2. the variable: `OTEL_KIT_CONSOLE=json`. `OTEL_*` variables mean what the OpenTelemetry specification says;
   `OTEL_KIT_*` variables exist only where it has none. An empty variable counts as unset;
3. the nearest pyproject.toml from the working directory upwards;
4. the default.

```toml
[tool.otel_kit]
console = "json"
endpoint = "http://localhost:4318"
```

Times are in seconds as arguments and in the file, and in milliseconds in variables, as the specification has it.
Lists are lists or comma-separated texts. Settings of the service may also be given as the resource attribute of the
same meaning, in `resource_attributes` or `OTEL_RESOURCE_ATTRIBUTES`.

A wrong argument raises `otel_kit.errors.SettingError` at once, an unknown one `UnknownSettingError`. Something wrong in
a variable or in the file is one sentence on stderr and counts as not given; with `strict` it raises, too.

`otel-kit config` prints the settings in effect, where each comes from, and what is wrong. Headers and passwords are
never shown.
"""


def settings_page() -> str:
    """The text of ``docs/settings.md``."""
    return "\n".join([INTRODUCTION, *map(_section, GROUPS)])


def _section(title: str) -> str:
    head = "| setting | meaning | valid | default | variable |\n|---|---|---|---|---|"
    return "\n".join([f"## {title}\n", head, *map(_row, GROUPS[title])]) + "\n"


def _row(setting: Setting) -> str:
    variable = f"`{setting.variable}`" if setting.variable else ""
    if setting.attribute:
        attribute = f"`{setting.attribute}` in `OTEL_RESOURCE_ATTRIBUTES`"
        variable = f"{variable}, else {attribute}" if variable else attribute
    cells = (f"`{setting.name}`", setting.doc, setting.kind.valid, _default(setting), variable)
    return f"| {' | '.join(cell.replace('<', '&lt;') for cell in cells)} |"


def _default(setting: Setting) -> str:
    if setting.general:
        return f"as `{setting.general}`"
    if setting.name == "service_name":
        return "`unknown_service:` and the executable's name"
    has_unit = setting.kind.unit and setting.default
    return in_unit(setting.kind, setting.default) if has_unit else _in_words(setting.default)


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value or "")


if __name__ == "__main__":
    print(settings_page(), end="")  # noqa: T201
