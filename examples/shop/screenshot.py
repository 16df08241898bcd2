"""Draw the README's picture of the demo: ``python -m examples.shop.screenshot``. Run it with nothing listening."""

from __future__ import annotations

import io
import os
import subprocess
import sys

from rich.console import Console
from rich.text import Text

from examples.shop.processes import ROOT

PICTURE = ROOT / "docs" / "demo.svg"


def main() -> None:
    """Run the demo and draw what it prints, in its colours."""
    demo = subprocess.run(
        [sys.executable, "-m", "examples.shop"],
        env={**os.environ, "FORCE_COLOR": "1"},
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    screen = Console(record=True, width=112, file=io.StringIO())
    screen.print(Text("$ make demo", style="bold"))
    screen.print(Text.from_ansi(demo.stdout.decode()))
    PICTURE.write_text(screen.export_svg(title="make demo"), encoding="utf-8")


if __name__ == "__main__":
    main()
