"""The table, the settings object and the docs page say the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from otel_kit.setup.config import Settings, read
from otel_kit.setup.page import settings_page
from otel_kit.setup.table import TABLE

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
ABOUT = {"sources", "problems", "notes", "file"}


def test_the_page_is_made_from_the_table() -> None:
    """docs/settings.md is not what `python -m otel_kit.setup.page` prints."""
    assert PAGE.read_text(encoding="utf-8") == settings_page()


def test_every_setting_is_documented_and_nothing_else() -> None:
    """A setting is missing from docs/settings.md, or the page describes one that does not exist."""
    documented = re.findall(r"^\| `(\w+)` \| \S", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(documented) == sorted(setting.name for setting in TABLE)


def test_every_variable_is_documented() -> None:
    """A variable that is read is missing from docs/settings.md."""
    page = PAGE.read_text(encoding="utf-8")
    assert [
        setting.variable for setting in TABLE if f"`{setting.variable}`" not in page and setting.variable
    ] == []


def test_the_settings_object_has_the_settings_of_the_table() -> None:
    """A setting of the table has no typed attribute, or an attribute has no setting."""
    assert set(Settings.__annotations__) - ABOUT == {setting.name for setting in TABLE}


def test_names_and_variables_are_unique_and_standard_first() -> None:
    """Two settings share a name or variable, or one of ours has a variable that is not named after it."""
    names = Counter(setting.name for setting in TABLE)
    variables = Counter(setting.variable for setting in TABLE if setting.variable)
    assert [name for name, count in (names + variables).items() if count > 1] == []
    ours = {s.variable: s.name for s in TABLE if s.variable.startswith("OTEL_KIT_")}
    assert ours == {f"OTEL_KIT_{name.upper()}": name for name in ours.values()}


def test_every_standard_variable_is_honoured_or_left_out_on_purpose() -> None:
    """A variable that the installed SDK knows means nothing here, and nobody decided that."""
    from opentelemetry import environment_variables as api
    from opentelemetry.sdk import environment_variables as sdk

    left_out = re.compile(
        r"OTEL_(EXPORTER_(PROMETHEUS|ZIPKIN|JAEGER)|PYTHON|EXPERIMENTAL|LOG_LEVEL|CONFIG_FILE)"
    )
    known = {name for module in (api, sdk) for name in dir(module) if name.startswith("OTEL_")}
    missing = known - {setting.variable for setting in TABLE}
    assert sorted(name for name in missing if not left_out.match(name)) == []


def test_every_default_is_a_right_value() -> None:
    """A default is not what the same text given by a user would become."""
    settings = read(None, {}, environ={}, start_dir="/")
    for setting in TABLE:
        default = setting.default
        if default not in (None, (), {}):
            assert setting.kind.value(list(default) if isinstance(default, tuple) else default) == default
        assert getattr(settings, setting.name) == default


def test_the_sdk_is_not_loaded_to_read_settings(run_program: Callable[..., Any]) -> None:
    """Reading the settings loads the SDK, an exporter or structlog by itself, so that every program's start is slower."""
    done = run_program(
        """
        import sys, types, otel_kit
        package = types.ModuleType("otel_kit.setup")  # the package itself also holds the wiring, which needs the SDK
        package.__path__ = [otel_kit.__path__[0] + "/setup"]
        sys.modules["otel_kit.setup"] = package
        from otel_kit.setup.config import read
        read("shop", {"endpoint": "http://localhost:4318"})
        heavy = ("opentelemetry.sdk", "structlog", "requests", "grpc", "tomllib", "psutil", "importlib.metadata")
        print([name for name in heavy if name in sys.modules])
        """
    )
    assert done.stdout.strip() == "[]", done.stderr
