"""The bounded queue between the program's threads and the network, and the thread that empties it.

The program pays for a lock and an append, and for a pause of half a millisecond where more than half of the queue is full only
because its own threads leave no time for encoding. What is lost here, and when: the oldest item when the queue is full
(``queue_full``), the oldest ones when those that wait hold more than 64 MiB (``queue_bytes``), all that still waits when
:meth:`Batcher.close` reaches its deadline (``unreachable``), what is emitted after that (``after_shutdown``), and whatever the
process holds when it dies by SIGKILL or ``os._exit`` (uncounted).
"""

from __future__ import annotations

import contextlib
import contextvars
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from otel_kit import _guard
from otel_kit.export.grace import Grace
from otel_kit.export.ledger import Ledger
from otel_kit.export.outage import Outage
from otel_kit.export.outcome import (
    AFTER_SHUTDOWN,
    QUEUE_BYTES,
    QUEUE_FULL,
    UNENCODABLE,
    UNREACHABLE,
    Outcome,
)

if TYPE_CHECKING:
    from otel_kit.export.outcome import Sender

T = TypeVar("T")

FIRST_BACKOFF = 1.0
SECOND_LOOK = 0.1
LONGEST_BACKOFF = 30.0
# A Retry-After may ask for years, by a clock that is wrong perhaps: that must not silence a program for good.
LONGEST_WISH = 3600.0
LONGEST_SLEEP = 600.0
# Longer than a system call, or the interpreter would not hand over; see sys.setswitchinterval, which is ten times as long.
PAUSE = 0.0005
# An endpoint that takes longer for a batch is not kept up with by pausing: then the oldest go.
BRISK = 0.25
REPEAT_SECONDS = 60.0
# What may wait in one queue, in bytes, and what is left of it when it was too much. Looking at each item would cost its emitter
# 0.3 us: one in so many is looked at, and all of them before anything is dropped.
MOST_BYTES = 64 << 20
FEWER_BYTES = 48 << 20
STANDS_FOR = 16.5  # the mean of 1 to 32
MOST_SPARED = 1000


class Ticket(NamedTuple):
    """What a flush waits for: the items accepted so far, the losses that earlier flushes told, what had been tried before."""

    target: int
    lost_told: int
    attempts: int


def _one(_: object) -> int:
    return 1


def _never(_: object) -> bool:
    return False


def _nothing(_: object) -> int:
    return 0


class Batcher(Generic[T]):
    """Takes items from any thread, and delivers them in batches from one thread of its own.

    The thread starts with the first item, and anew in a forked child with the child's first item.

    Args:
        name: names the thread, such as ``traces``.
        sender: delivers a list of items.
        ledger: the books; may be shared with an earlier batcher of the same endpoint.
        outage: tells the operator, once per outage.
        capacity: how much may wait, including what is being sent.
        batch_size: how much goes into one request.
        delay: how long an item waits for company at most, in seconds.
        timeout: how long one attempt may take, in seconds.
        weigh: what an item counts: 1, or the data points of a metric.
        size: about how many bytes an item holds.
        spare: whether an item is dropped only where next to nothing else is left to drop.
        remedy: what gives the queue more room, for the sentence on stderr that tells of a loss.
        started: called when the thread has been started, in the thread of whoever emitted first.
    """

    def __init__(
        self,
        name: str,
        sender: Sender,
        ledger: Ledger,
        outage: Outage,
        *,
        capacity: int,
        batch_size: int,
        delay: float,
        timeout: float,
        weigh: Callable[[T], int] = _one,
        size: Callable[[T], int] = _nothing,
        spare: Callable[[T], bool] = _never,
        remedy: str = "",
        started: Callable[[], object] = lambda: None,
    ) -> None:
        self.name, self.sender, self.ledger, self.outage = name, sender, ledger, outage
        self._capacity, self._batch_size = capacity, min(batch_size, capacity)
        self._remedy, self._size = remedy, size
        self._delay, self._timeout, self._weigh, self._started = delay, timeout, weigh, started
        self._spare = spare
        self._reset()

    def _reset(self) -> None:
        self._queue: deque[T] = deque()
        self._load = 0
        self._bytes: float = 0.0
        self._look_at = 0
        self._crowded = self._capacity // 2
        self._grace: Grace | None = None
        self._closed = self._stop = self._retired = False
        # Not an Event: a signal's handler that emits may find the interrupted thread inside of it.
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._settled_some = threading.Condition(self.ledger.lock)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._send_at: float | None = None
        self._resume_at, self._told, self._backoff = 0.0, False, FIRST_BACKOFF
        self._hurry_target, self._hurry_until = 0, 0.0
        self._attempts, self._nobody_at, self._lost_told = 0, 0, self.ledger.lost()
        self._overflow_said_at = self._began = float("-inf")

    def renew(self) -> None:
        """In a forked child: an empty queue, empty books and no thread; the parent delivers what it had."""
        self.ledger.renew()
        self.sender.renew()
        self._reset()

    @property
    def busy(self) -> bool:
        """Whether anything waits or is being sent."""
        return self._load > 0

    # -- the program's side

    def put(self, item: T, weight: int = 1) -> None:
        """Accept one item; drops the oldest if the queue is full. Never waits for the network."""
        ledger = self.ledger
        with ledger.lock:
            if self._closed:
                self._refuse(weight)
                return
            before = self._load
            if ledger.accepted >= self._look_at:
                self._look(item)
            if not before or before < self._batch_size <= before + weight:
                self._bell.put(None)
            # Up to the append no call is made: after one Python may run a signal's handler, which may emit, or raise.
            ledger.accepted += weight
            ledger.waiting += weight
            self._load = load = self._load + weight
            self._queue.append(item)
            if load > self._capacity:
                self._drop_oldest()
        if self._thread is None:
            self._start()
        if load > self._crowded:
            self._crowd(load)

    def _look(self, item: T) -> None:
        """Guess from one item what all hold; and where that is too much, look at each. The caller holds the lock."""
        self._look_at = self.ledger.accepted + 1 + random.getrandbits(5)
        self._bytes = STANDS_FOR * self._size(item) + (self._bytes if self._load else 0)
        if self._bytes > MOST_BYTES:
            self._lighten()

    def _lighten(self) -> None:
        self._bytes = sum(map(self._size, list(self._queue)))  # a copy: a signal's handler may emit meanwhile
        if self._bytes > MOST_BYTES:
            self._say_full(f"{MOST_BYTES >> 20} MiB", "smaller values help")
            while self._queue and self._bytes > FEWER_BYTES:
                self._bytes -= self._size(self._queue[0])
                self._drop_one(QUEUE_BYTES)

    def _refuse(self, weight: int) -> None:
        self.ledger.refuse(AFTER_SHUTDOWN, weight)
        if self._grace is not None:
            self._grace.missed(self)

    def _crowd(self, load: int) -> None:
        """Leave the interpreter to the encoder, which could not keep up; and tell of a loss as it begins."""
        if self._grace is not None:
            self._grace.deliver(self)
            return
        if load > self._capacity:
            self._say_full(str(self._capacity), self._remedy and f"{self._remedy} gives it more room")
        brisk = self.sender.encoding or time.monotonic() - self._began < BRISK
        if brisk and not self._resume_at:
            time.sleep(PAUSE)

    def _say_full(self, room: str, remedy: str) -> None:
        now = time.monotonic()
        if now - self._overflow_said_at < REPEAT_SECONDS:
            return
        self._overflow_said_at = now
        _guard.say(
            f"{self.name} to {self.outage.address}: the queue is full ({room}), and the oldest are dropped"
            + (f"; {remedy}" if remedy else "")
        )

    def _drop_oldest(self) -> None:
        while self._queue and self._load > self._capacity:
            self._drop_one(QUEUE_FULL)

    def _drop_one(self, reason: str) -> None:
        self._pass_over_spared()
        weight = self._weigh(self._queue[0])
        if self._queue:  # a signal's handler may have emptied it; from here to the popleft there is no call after which one runs
            self._load -= weight
            self.ledger.waiting -= weight
            self.ledger.dropped[reason] += weight
            self._queue.popleft()

    def _pass_over_spared(self) -> None:
        """Those to be spared go to the end, a bounded number of them: the caller is in the middle of the program's call."""
        for _ in range(MOST_SPARED):
            if not self._queue or not self._spare(self._queue[0]):
                return
            self._queue.rotate(-1)

    def _settle(self, weight: int, reason: str | None = None) -> None:
        """Take items off the waiting list. The caller holds the lock."""
        self._load -= weight
        self.ledger.waiting -= weight
        if reason is None:
            self.ledger.delivered += weight
        else:
            self.ledger.dropped[reason] += weight

    def _settle_rest(self) -> None:
        if weight := sum(map(self._weigh, self._queue)):
            self._settle(weight, UNREACHABLE)
            self._queue.clear()

    def _start(self) -> bool:
        """Start the thread if there is none; False where the interpreter starts no more threads."""
        # start() would wait for ever then: a generator's span ends as the interpreter clears up, say.
        if sys.is_finalizing():
            return False
        if not self._starting.acquire(blocking=False):
            return True  # somebody is at it: another thread, or this one, interrupted by a signal
        try:
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name=f"otel_kit {self.name}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the interpreter is shutting down, or there are no threads to be had
                    return False
                self._thread = thread
                self._started()
        finally:
            self._starting.release()
        return True

    # -- flush and close

    def prod(self, deadline: float) -> Ticket:
        """Ask for everything that waits now to be sent at once; returns immediately, :meth:`wait` tells the result."""
        with self.ledger.lock:
            ticket = Ticket(self.ledger.accepted, self._lost_told, self._attempts)
            self._hurry_target, self._hurry_until = ticket.target, max(self._hurry_until, deadline)
            if self._closed or not self._told:
                self._resume_at = 0.0
        self._bell.put(None)
        return ticket

    def wait(self, ticket: Ticket, deadline: float) -> bool:
        """Wait until all that :meth:`prod` found is settled, or ``deadline`` (``time.monotonic()``) has come.

        Returns:
            True only if all of it was delivered: False also where something was dropped since the last such answer, and
            at once when nobody listens at the endpoint.
        """
        if self._load and not self._start():
            self._work_here(deadline)
        with self._settled_some:
            settled = self._wait_settled(ticket, deadline)
            self._lost_told = self.ledger.lost()
            return settled and self._lost_told == ticket.lost_told

    def _wait_settled(self, ticket: Ticket, deadline: float) -> bool:
        while self._load and self._settled() < ticket.target:
            if self._nobody_at > ticket.attempts or not self._settled_some.wait(deadline - time.monotonic()):
                return False
        return True

    def _settled(self) -> int:
        return self.ledger.accepted - self.ledger.waiting

    def _work_here(self, deadline: float) -> None:
        """Where no thread can be started any more (Python 3.12 at exit) the caller does the work."""
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        del token  # the process ends; nothing is emitted under this context any more
        while self._load and time.monotonic() < deadline:
            if not self._send_waiting(min(self._timeout, deadline - time.monotonic())):
                return

    def flush(self, deadline: float) -> bool:
        """:meth:`prod` and :meth:`wait`."""
        return self.wait(self.prod(deadline), deadline)

    def refuse_more(self) -> None:
        """From now on count what is emitted as ``after_shutdown``, and let :meth:`prod` ignore Retry-After."""
        with self.ledger.lock:
            self._closed = True

    def insist(self) -> None:
        """Let the next :meth:`prod` ignore a Retry-After: the process ends."""
        self._told = False

    def linger(self, grace: Grace) -> None:
        """The process ends: deliver what still comes at once, or drop what waits if the time was not enough for that."""
        self._grace, self._crowded = grace, 0
        if self.busy:
            self.abandon()

    def abandon(self) -> None:
        """Drop what still waits, and let the thread end. What is being sent stays ``waiting`` until its answer comes."""
        with self.ledger.lock:
            self._closed = self._stop = True
            self._settle_rest()
        self._bell.put(None)

    def close(self, deadline: float) -> bool:
        """Flush until ``deadline``, then drop the rest."""
        self.refuse_more()
        done = self.flush(deadline)
        self.abandon()
        return done

    def retire(self) -> None:
        """Nobody writes here any more: deliver what waits, then let the thread end."""
        self._retired = True
        self._bell.put(None)

    # -- the thread's side

    def _run(self) -> None:
        self._thread = (
            threading.current_thread()
        )  # whoever started it may have been interrupted before noting it
        # A context of its own: neither the ids nor the span of whoever emitted first belong to it.
        contextvars.Context().run(self._loop)

    def _loop(self) -> None:
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        while not self._stop and not (self._retired and not self._load):
            try:
                self._rest()
                self._send_waiting(self._timeout)
            except BaseException as error:  # also SystemExit: this thread is the only one that delivers
                _guard.contained(f"{self.name}.batch", error)
                time.sleep(FIRST_BACKOFF)
        self.sender.close()
        self._thread = None
        if self._load:  # written by a straggler since the thread looked
            self._start()

    def _rest(self) -> None:
        while not self._stop and not (self._retired and not self._load) and (pause := self._pause()) > 0:
            with contextlib.suppress(Empty):
                self._bell.get(timeout=min(pause, LONGEST_SLEEP))
                while True:
                    self._bell.get_nowait()

    def _pause(self) -> float:
        now = time.monotonic()
        with self.ledger.lock:
            if not self._load:
                self._send_at = None
                return LONGEST_SLEEP
            if self._resume_at > now:
                return self._resume_at - now
            if self._hurried(now) or self._load >= self._batch_size:
                return 0.0
            if self._send_at is None:
                self._send_at = now + self._delay
            return self._send_at - now

    def _hurried(self, now: float) -> bool:
        return self._settled() < self._hurry_target and now < self._hurry_until

    def _send_waiting(self, timeout: float) -> bool:
        """Send until less than a batch waits (in a hurry: until nothing waits); False if the endpoint is in trouble."""
        while not self._stop and (batch := self._take()):
            if not self._deliver(batch, timeout):
                return False
            with self.ledger.lock:
                if self._load < self._batch_size and not self._hurried(time.monotonic()):
                    break
        self._send_at = None
        return True

    def _take(self) -> list[T]:
        with self.ledger.lock:
            batch: list[T] = []
            weight = 0
            while self._queue and (not batch or weight + self._weigh(self._queue[0]) <= self._batch_size):
                batch.append(self._queue.popleft())
                weight += self._weigh(batch[-1])
            return batch

    def _deliver(self, batch: list[T], timeout: float) -> bool:
        todo = [batch]
        while todo:
            part = todo.pop()
            outcome = self._attempt(part, timeout)
            if outcome.retry:
                todo.append(part)
                self._back_off([item for part in reversed(todo) for item in part], outcome)
                return False
            if outcome.split and len(part) > 1:
                middle = len(part) // 2
                todo += [part[middle:], part[:middle]]
            else:
                self._book(part, outcome)
        return True

    def _attempt(self, part: Sequence[T], timeout: float) -> Outcome:
        self._began = time.monotonic()
        try:
            return self.sender.send(part, timeout)
        except BaseException as error:
            if len(part) > 1:
                return Outcome(split=True)
            _guard.contained(f"{self.name}.send", error)
            return Outcome({UNENCODABLE: self._weigh(part[0])})

    def _book(self, part: Sequence[T], outcome: Outcome) -> None:
        weight = sum(map(self._weigh, part))
        took_some = sum(outcome.dropped.values()) < weight
        self.outage.answered(
            outcome.trouble, self.ledger, took_some=took_some
        )  # first: who flushes finds it said
        with self._settled_some:
            for reason, lost in outcome.dropped.items():
                count = min(lost, weight)
                weight -= count
                self._settle(count, reason)
            self._settle(weight)
            self._attempts += 1
            self._resume_at, self._told, self._backoff = 0.0, False, FIRST_BACKOFF
            self._settled_some.notify_all()

    def _back_off(self, items: list[T], outcome: Outcome) -> None:
        self.outage.failed(outcome.trouble, self.ledger)
        first = self._backoff == FIRST_BACKOFF
        pause = self._backoff * random.uniform(0.75, 1.0)
        if outcome.after is not None:
            pause = min(max(pause, outcome.after), LONGEST_WISH)
        if outcome.unsure and first:
            pause = SECOND_LOOK
        nobody = outcome.refused and not (outcome.unsure and first)
        with self._settled_some:
            self._queue.extendleft(reversed(items))
            self._bytes, self._look_at = MOST_BYTES, 0  # have them looked at with what came meanwhile
            if self._stop:  # nobody waits for a second attempt
                self._settle_rest()
            self._drop_oldest()
            self._attempts += 1
            self._nobody_at = self._attempts if nobody else self._nobody_at
            self._resume_at = self._send_at = time.monotonic() + pause
            self._told = outcome.after is not None
            self._backoff = min(self._backoff * 2, LONGEST_BACKOFF)
            self._settled_some.notify_all()


def flush_all(batchers: Iterable[Batcher[Any]], deadline: float) -> bool:
    """Flush several batchers at the same time, until ``deadline``; True if all delivered everything."""
    tickets = [(batcher, batcher.prod(deadline)) for batcher in batchers]
    return all([batcher.wait(ticket, deadline) for batcher, ticket in tickets])  # noqa: C419 (each is waited for)
