"""Whether SQL is watched at all.

The hooks stay where they are once they were added: SQLAlchemy keeps listeners in deques, and a thread that is calling them gets
a RuntimeError when one is taken out; and each dialect has its own. So they ask here.
"""

from __future__ import annotations


class State:
    """Read by every hook."""

    on = False
