"""The payment provider of the shop: careless on purpose.

It logs what nobody should log. The card is the well-known test card and the token is made up on the spot; both
are put together at run time, so that nothing in this file looks like a secret.
"""

from __future__ import annotations

import secrets

import otel_kit

CARD = " ".join(["4111"] + ["1111"] * 3)

log = otel_kit.get_logger(__name__)


@otel_kit.span("charge card")
def charge(amount: float) -> None:
    """Take the money, and tell the log too much."""
    access_token = secrets.token_urlsafe(24)
    log.info("card charged", amount=amount, card_number=CARD, access_token=access_token)
