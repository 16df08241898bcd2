"""Connections whose requests end at a deadline, even where the far side lets its bytes trickle.

A socket's timeout is for one read, and an answer takes many: here each gets what is left of the whole request. Not bounded is
the look-up of a name, which Python cannot interrupt; resolvers give up by themselves.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

_BLOCKING = ("do_handshake", "recv", "recv_into", "send", "sendall")


class Deadline:
    """When the request under way must be over, by ``time.monotonic()``.

    Attributes:
        at: that moment; before the first request there is none.
    """

    at = float("inf")

    def left(self, parts: int = 1) -> float | None:
        """Seconds until then, divided by ``parts``; None if there is no deadline.

        Raises:
            TimeoutError: it has come.
        """
        if self.at == float("inf"):
            return None
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline of the request has come")
        return left / parts


def bounded(kind: type[Any], deadline: Deadline) -> type[Any]:
    """A kind of socket that waits until the deadline at most, whatever it waits for."""
    methods = {name: _bounded(getattr(kind, name), deadline) for name in _BLOCKING if hasattr(kind, name)}
    return type(kind.__name__, (kind,), methods)


def _bounded(method: Callable[..., Any], deadline: Deadline) -> Callable[..., Any]:
    def in_time(self: Any, *args: Any, **options: Any) -> Any:
        self.settimeout(deadline.left())
        return method(self, *args, **options)

    return in_time


def pools(deadline: Deadline) -> dict[str, type[HTTPConnectionPool]]:
    """The pools for http and https, as ``PoolManager.pool_classes_by_scheme`` wants them."""
    open_socket = bounded(socket.socket, deadline)

    def connected(connection: HTTPConnection) -> Any:
        host, port = connection._dns_host, connection.port
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for number, (family, kind, protocol, _, address) in enumerate(found):
            sock = open_socket(family, kind, protocol)
            try:
                for option in connection.socket_options or ():
                    sock.setsockopt(*option)
                # The first of several addresses may be a black hole: the others get their share of the time.
                sock.settimeout(deadline.left(len(found) - number))
                sock.connect(address)
                return sock
            except OSError:
                sock.close()
                if number == len(found) - 1:
                    raise
        raise socket.gaierror(socket.EAI_NONAME, "no address")

    class Plain(HTTPConnection):
        def _new_conn(self) -> Any:
            return connected(self)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> Any:
            return connected(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def secured(context: ssl.SSLContext, deadline: Deadline) -> ssl.SSLContext:
    """The context, for sockets that wait until the deadline at most."""
    context.sslsocket_class = bounded(ssl.SSLSocket, deadline)
    return context
