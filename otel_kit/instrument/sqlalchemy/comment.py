"""sqlcommenter: the trace's id behind the statement, so that the database's logs and views name the request.

https://google.github.io/sqlcommenter/spec/. Each text is then a new one for the server, and for drivers that prepare
statements by their text.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from opentelemetry.trace import Span

_PERCENT = frozenset({"format", "pyformat"})


def added(statement: str, span: Span, dialect: Any) -> str:
    """The statement with its comment; as it is where it has a comment of that kind already, or there is no trace."""
    context = span.get_span_context()
    if not context.is_valid or "traceparent='" in statement:
        return statement
    driver = quote(f"{dialect.name}+{dialect.driver}", safe="")
    traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    comment = f"/*db_driver='{driver}',traceparent='{traceparent}'*/"
    if dialect.paramstyle in _PERCENT:
        comment = comment.replace("%", "%%")
    body = statement.rstrip()
    return f"{body[:-1]} {comment};" if body.endswith(";") else f"{body} {comment}"
