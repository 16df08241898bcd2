"""Helpers by use-case, built on ``signals`` and ``context`` alone: what an engineer would add by hand to every project.

- ``code``: what functions, blocks, loops and objects do, and what they cost
- ``errors``: what kind of error it is, whether it is new, what was done about it
- ``data``: changes of entities, caches, checks of data
- ``agents``: agents, workflows, costs, events of the business
- ``trust``: events of security, and an audit trail that shows tampering
- ``jobs``: runs, batches, progress

Each helper steps aside while its part is off (``otel_kit.context.parts``).
"""
