import pytest

from kit import rates
from kit.rates import RateExceeded, RateLimit, Rates


def test_a_bucket_empties_refills_and_tells_how_long_to_wait() -> None:
    buckets = Rates(RateLimit(per_second=0.5, burst=2))
    assert [buckets.take("a", now=0.0).remaining for _ in range(2)] == [1, 0]
    with pytest.raises(RateExceeded) as refused:
        buckets.take("a", now=0.5)
    assert refused.value.facts["retry_after_seconds"] == 2
    assert buckets.take("a", now=2.0).remaining == 0
    assert buckets.take("a", now=1000.0).headers() == {
        "RateLimit-Policy": '"default";q=2;w=4',
        "RateLimit": '"default";r=1;t=2',
    }


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    buckets = Rates(RateLimit(per_second=1.0, burst=1))
    buckets.take("a", now=10.0)
    with pytest.raises(RateExceeded):
        buckets.take("a", now=5.0)


def test_callers_are_apart_and_their_number_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "CALLERS_MAX", 3)
    buckets = Rates(RateLimit(per_second=1.0, burst=1))
    for number in range(10):
        buckets.take(f"caller {number}", now=0.0)
    assert len(buckets._buckets) == 3
    with pytest.raises(RateExceeded):
        buckets.take("caller 9", now=0.0)


def test_a_look_takes_nothing() -> None:
    buckets = Rates(RateLimit(per_second=1.0, burst=1))
    for _ in range(5):
        buckets.look("a", now=0.0)
    buckets.take("a", now=0.0)
    with pytest.raises(RateExceeded):
        buckets.look("a", now=0.5)
    buckets.look("a", now=1.0)
