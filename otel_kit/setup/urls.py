"""Addresses: which are right, and how one is shown without the secrets in it."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

MASK = "****"


def split_url(url: str) -> SplitResult:
    """The parts of an address, which has a scheme or is just host:port.

    Raises:
        ValueError: it is no such address.
    """
    bare = "://" not in url
    parts = urlsplit(f"//{url}" if bare else url)
    is_address = (
        parts.scheme in ("", "http", "https") and parts.hostname and parts.port != 0 and not parts.fragment
    )
    is_plain = url.isprintable() and " " not in url
    just_host_and_port = parts.port is not None and not (parts.path or parts.query or "@" in url)
    # An @ after the host comes from a password with a slash in it that was not percent-encoded.
    unclear = "@" in parts.path + parts.query
    if not (is_address and is_plain) or unclear or (bare and not just_host_and_port):
        raise ValueError
    return parts


def is_url(text: str) -> bool:
    """Whether :func:`split_url` takes it."""
    try:
        split_url(text)
    except ValueError:
        return False
    return True


def masked_url(url: str) -> str:
    """The address without what may be secret in it: user, password, query; all of a wrong one that has such parts."""
    if not is_url(url):
        return MASK if "@" in url or "?" in url else url
    parts = split_url(url)
    user, at, host = parts.netloc.rpartition("@")
    netloc = f"{MASK}{at}{host}" if user else host
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    return f"{scheme}{netloc}{parts.path}" + (f"?{MASK}" if parts.query else "")
