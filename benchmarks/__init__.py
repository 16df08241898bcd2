"""What otel_kit costs, as ratios against the stock SDK set up by hand: ``make bench`` writes RESULTS.md."""
