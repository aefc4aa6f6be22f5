"""Money is integer cents in fields named `…_cents`; no float, no Decimal, no currency but US dollars."""

from typing import Annotated

from pydantic import Field

CENTS_MAX = 9_999_999_999
"""The largest single payment the state's finance system takes: $99,999,999.99."""

Cents = Annotated[int, Field(strict=True, ge=0, le=CENTS_MAX, description="US cents, not negative")]
PositiveCents = Annotated[int, Field(strict=True, gt=0, le=CENTS_MAX, description="US cents, more than zero")]
BudgetCents = Annotated[int, Field(strict=True, ge=0, le=10**15, description="US cents of a budget line")]


def dollars(cents: int) -> str:
    """`123456` → `$1,234.56`, for people's eyes only."""
    sign = "-" if cents < 0 else ""
    return f"{sign}${abs(cents) // 100:,}.{abs(cents) % 100:02d}"
