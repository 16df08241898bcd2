"""BETWEEN: what happens to each signal on its way out, one step per file, in this order.

- ``enrich``: the ids that hold where it was made
- ``exceptions``: each exception becomes one log record
- ``limit``: whatever was given becomes something that can be sent; ``values`` does it for one value

Spans are enriched where they begin and limited in the exporting thread; log records pass all steps in the program's
thread, because their values may change after the call; metric points are limited when they are collected.
"""
