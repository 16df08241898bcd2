"""Whether SQL is watched at all.

SQLAlchemy's listeners stay where they are once they were added: it keeps them in deques, and a thread that is in the middle of
its statement gets a RuntimeError when one is taken out. So they ask here.
"""

from __future__ import annotations


class State:
    """Read by every listener."""

    on = False
