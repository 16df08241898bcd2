"""``python -m otel_kit`` is the command ``otel-kit``."""

from otel_kit.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
