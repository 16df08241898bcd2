"""One trace as a picture in text: each span a row, indented under its parent, with a bar where it lies in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from opentelemetry.sdk.trace import ReadableSpan

from otel_kit import semconv
from otel_kit.export.console.colors import PLAIN, Colors
from otel_kit.export.console.escape import escaped
from otel_kit.export.console.spans import failed, length
from otel_kit.export.console.times import duration

BAR_WIDTH = 40
NAME_WIDTH = 44


def waterfall(spans: Iterable[ReadableSpan], colors: Colors = PLAIN) -> str:
    """Draw the spans of one trace.

    A span whose parent is not among them starts a tree of its own. Spans of other traces than the first one's are left out.

    Args:
        spans: in any order, of any number of services.
        colors: of the terminal, where there is one.

    Returns:
        Lines without a line break at the end; the empty text for no spans.
    """
    trace = _one_trace(spans)
    if not trace:
        return ""
    start = min(span.start_time or 0 for span in trace)
    end = max(max(span.end_time or 0, span.start_time or 0) for span in trace)
    rows = [
        (_shortened(f"{'  ' * depth}{escaped(span.name)}"), _service(span), span)
        for depth, span in _in_order(trace)
    ]
    name_width = max(len(name) for name, _, _ in rows)
    service_width = max(len(service) for _, service, _ in rows)
    header = f"trace {_ids(trace[0])[0]:032x}  {len(trace)} spans  {duration(end - start)}"
    return "\n".join(
        [
            f"{colors.bold}{header}{colors.reset}",
            *(
                f"{name:<{name_width}}  {colors.name}{service:<{service_width}}{colors.reset}  "
                f"{_bar(span, start, end, colors)} {duration(length(span)):>8}{_mark(span, colors)}"
                for name, service, span in rows
            ),
        ]
    )


def _one_trace(spans: Iterable[ReadableSpan]) -> list[ReadableSpan]:
    known = [span for span in spans if span.context is not None]
    first = _ids(known[0])[0] if known else 0
    return sorted((s for s in known if _ids(s)[0] == first), key=lambda s: s.start_time or 0)


def _ids(span: ReadableSpan) -> tuple[int, int]:
    context = span.context
    return (context.trace_id, context.span_id) if context else (0, 0)


def _in_order(trace: list[ReadableSpan]) -> Iterator[tuple[int, ReadableSpan]]:
    """Each span once, after its parent, with its depth. Without recursion, for a trace may be thousands deep."""
    known = {_ids(span)[1] for span in trace}
    children: dict[int, list[ReadableSpan]] = {}
    for span in trace:
        parent = span.parent.span_id if span.parent and span.parent.span_id in known else 0
        children.setdefault(0 if parent == _ids(span)[1] else parent, []).append(span)
    # What remains after the roots' trees are spans that are each other's parents.
    while children:
        waiting = [(0, span) for span in reversed(children.pop(0 if 0 in children else next(iter(children))))]
        while waiting:
            depth, span = waiting.pop()
            yield depth, span
            waiting += [(depth + 1, child) for child in reversed(children.pop(_ids(span)[1], []))]


def _service(span: ReadableSpan) -> str:
    name = span.resource.attributes.get(semconv.SERVICE_NAME, "") if span.resource else ""
    return escaped(str(name))[:24]


def _bar(span: ReadableSpan, start: int, end: int, colors: Colors) -> str:
    total = max(end - start, 1)
    before = min(BAR_WIDTH - 1, round(((span.start_time or 0) - start) * BAR_WIDTH / total))
    filled = max(1, min(BAR_WIDTH - before, round(length(span) * BAR_WIDTH / total)))
    color = colors.error if failed(span) else colors.key
    rest = "·" * (BAR_WIDTH - before - filled)
    dots = f"{colors.dim}{'·' * before}{colors.reset}"
    return f"{dots}{color}{'█' * filled}{colors.reset}{colors.dim}{rest}{colors.reset}"


def _mark(span: ReadableSpan, colors: Colors) -> str:
    if not failed(span):
        return ""
    why = f" {_shortened(escaped(span.status.description))}" if span.status.description else ""
    return f"  {colors.error}✗{why}{colors.reset}"


def _shortened(text: str) -> str:
    return text if len(text) <= NAME_WIDTH else f"{text[: NAME_WIDTH - 1]}…"
