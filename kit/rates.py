"""A token bucket per caller, in this process's memory: a fair share, not an exact count across replicas."""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass

from contracts.errors import Refused

CALLERS_MAX = 10_000


class RateExceeded(Refused):
    """Too many requests; wait {retry_after_seconds} seconds."""

    code = "rate_exceeded"
    status = 429


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `burst` at once, refilled by `per_second`."""

    per_second: float = 200.0
    burst: int = 400


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a caller has left, for the `RateLimit` headers."""

    limit: RateLimit
    remaining: int

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers-10 writes them."""
        window = math.ceil(self.limit.burst / self.limit.per_second)
        missing = math.ceil((self.limit.burst - self.remaining) / self.limit.per_second)
        return {
            "RateLimit-Policy": f'"default";q={self.limit.burst};w={window}',
            "RateLimit": f'"default";r={self.remaining};t={missing}',
        }


class Rates:
    """The buckets. The caller unseen for longest is forgotten first, which only gives it a full bucket again."""

    def __init__(self, limit: RateLimit) -> None:
        self._limit = limit
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, *, now: float | None = None) -> Allowance:
        """Take one token, or raise `RateExceeded` with the time until there is one."""
        now = time.monotonic() if now is None else now
        tokens = self._tokens(caller, now)
        allowed = tokens >= 1.0
        self._buckets.pop(caller, None)
        self._buckets[caller] = (tokens - 1.0 if allowed else tokens, now)
        while len(self._buckets) > CALLERS_MAX:
            self._buckets.popitem(last=False)
        self._refuse_below_one(tokens)
        return Allowance(self._limit, int(tokens - 1.0))

    def look(self, caller: str, *, now: float | None = None) -> None:
        """Raise `RateExceeded` where `take` would; take nothing."""
        self._refuse_below_one(self._tokens(caller, time.monotonic() if now is None else now))

    def _tokens(self, caller: str, now: float) -> float:
        tokens, since = self._buckets.get(caller, (float(self._limit.burst), now))
        return min(float(self._limit.burst), tokens + max(0.0, now - since) * self._limit.per_second)

    def _refuse_below_one(self, tokens: float) -> None:
        if tokens < 1.0:
            raise RateExceeded(retry_after_seconds=max(1, math.ceil((1.0 - tokens) / self._limit.per_second)))
