"""Log files: an exporter behind the same pipeline as OTLP, so that files have the same ids and no secrets.

- ``layout``: which records go into which file
- ``lines``: a record as a line for people, or as JSON
- ``logfile``: one file that several processes append to, and its rotation
- ``archive``: compresses and clears what was rotated away
- ``sender``: the far side of the queue
"""
