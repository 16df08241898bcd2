"""The console: what a person at a terminal, or a container's log collector, reads of the three signals.

- ``logs``: each log record at once, in the caller's thread, behind the pipeline's steps
- ``spans``, ``metrics``: one line per item, for ``OTEL_TRACES_EXPORTER=console`` and ``OTEL_METRICS_EXPORTER=console``
- ``waterfall``: one trace as a picture in text
- ``escape``, ``values``, ``times``, ``colors``, ``columns``: how things are written · ``output``: where

Two styles: *pretty* for people, *json* for programs. In both, one item is one line, whatever it holds: control characters, line
separators and writing direction marks are escaped. Only a traceback in the pretty style takes lines of its own, indented.
"""
