"""OUT: what leaves the process. OTLP over HTTP and gRPC, and the console.

Two seams: a processor that the SDK calls (``spans``, ``logs``, ``metrics``) ends in a :class:`~otel_kit.export.batch.Batcher`,
and a batcher hands lists of items to a :class:`~otel_kit.export.outcome.Sender`. No other folder knows more than that.
The OTLP encoders, urllib3 and grpc are imported at the first delivery, in the batcher's thread.
"""
