"""The states of an exam voucher as one table: every act, the states it leads from and to, and why it is refused.

The migrations hold the same moves as rows, and a trigger refuses any other; a test holds the two against each other.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from services.payments.domain import ExamVoucherState as State


class Use(StrEnum):
    """For what a used exam voucher went. All three cost its price; only the first was an exam."""

    DELIVERED = "delivered"
    NO_SHOW = "no_show"
    LATE_CANCEL = "late_cancel"


class RevealOutcome(StrEnum):
    """What became of a request to show a code."""

    SHOWN = "shown"
    REPEATED = "repeated"
    """The same request heard its answer again."""
    ALREADY_REVEALED = "already_revealed"
    NOT_REVEALABLE = "not_revealable"
    NOT_FOUND = "not_found"
    """Another partner's: it hears that there is none."""


class Act(StrEnum):
    """What happens to an exam voucher."""

    ALLOCATE = "allocate"
    REVEAL = "reveal"
    REGISTER = "register"
    CANCEL = "cancel"
    """The registration is canceled in time: its holder may use the code again."""
    GIVE_BACK = "give_back"
    """Its case ended. What nobody saw goes back into stock; what was seen waits for the vendor's word."""
    USE = "use"
    REINSTATE = "reinstate"
    """The vendor's word: whoever holds it may use it again."""
    RESTOCK = "restock"
    """The vendor's word: unused, and nobody holds it any more."""
    SET_ASIDE = "set_aside"
    """The vendor reports a use of a code that nobody was given: it must not be given to anybody."""
    EXPIRE = "expire"
    VOID = "void"


MOVES: Final[Mapping[Act, Mapping[State, State]]] = {
    Act.ALLOCATE: {State.AVAILABLE: State.ALLOCATED},
    Act.REVEAL: {State.ALLOCATED: State.REVEALED, State.REGISTERED: State.REGISTERED},
    Act.REGISTER: dict.fromkeys(
        (State.ALLOCATED, State.REVEALED, State.REUSABLE, State.AWAITING_VENDOR), State.REGISTERED
    ),
    Act.CANCEL: {State.REGISTERED: State.REUSABLE},
    Act.GIVE_BACK: {
        State.ALLOCATED: State.AVAILABLE,
        State.REVEALED: State.AWAITING_VENDOR,
        State.REUSABLE: State.AWAITING_VENDOR,
        State.REGISTERED: State.REGISTERED,
    },
    Act.USE: dict.fromkeys(
        (
            State.ALLOCATED,
            State.REVEALED,
            State.REGISTERED,
            State.REUSABLE,
            State.AWAITING_VENDOR,
            State.EXPIRED,
            State.USED,
        ),
        State.USED,
    ),
    Act.REINSTATE: dict.fromkeys((State.REVEALED, State.REGISTERED, State.USED), State.REUSABLE),
    Act.RESTOCK: dict.fromkeys((State.AWAITING_VENDOR, State.REGISTERED, State.USED), State.AVAILABLE),
    Act.SET_ASIDE: {State.AVAILABLE: State.AWAITING_VENDOR},
    Act.EXPIRE: dict.fromkeys(
        (
            State.AVAILABLE,
            State.ALLOCATED,
            State.REVEALED,
            State.REGISTERED,
            State.REUSABLE,
            State.AWAITING_VENDOR,
        ),
        State.EXPIRED,
    ),
    Act.VOID: dict.fromkeys(
        (
            State.AVAILABLE,
            State.ALLOCATED,
            State.REVEALED,
            State.REGISTERED,
            State.REUSABLE,
            State.AWAITING_VENDOR,
            State.EXPIRED,
        ),
        State.VOID,
    ),
}

VENDOR_ONLY: Final = frozenset({Act.REINSTATE, Act.RESTOCK, Act.SET_ASIDE})
"""Acts that nobody but the vendor's word brings about."""

RUNS_OUT: Final = tuple(state for state in MOVES[Act.EXPIRE] if state is not State.REGISTERED)
"""What the clock alone may expire: whether a registered exam took place in time, only the vendor knows."""


class Refusal(StrEnum):
    """Why an act is not possible."""

    ALREADY_USED = "already_used"
    HAS_EXPIRED = "has_expired"
    IS_VOID = "is_void"
    NEVER_ALLOCATED = "never_allocated"
    NOT_REGISTERED = "not_registered"
    IS_REGISTERED = "is_registered"
    HELD_BY_A_CASE = "held_by_a_case"
    WAITS_FOR_VENDOR = "waits_for_vendor"
    ALREADY_SO = "already_so"


_FINAL: Final = {
    State.USED: Refusal.ALREADY_USED,
    State.EXPIRED: Refusal.HAS_EXPIRED,
    State.VOID: Refusal.IS_VOID,
    State.AVAILABLE: Refusal.NEVER_ALLOCATED,
}


def after(state: State, act: Act) -> State | Refusal:
    """The state after the act, or why it is refused."""
    found = MOVES[act].get(state)
    if found is not None:
        return found
    if state in _FINAL:
        return _FINAL[state]
    match act, state:
        case ((Act.ALLOCATE | Act.SET_ASIDE | Act.RESTOCK), State.AWAITING_VENDOR):
            return Refusal.WAITS_FOR_VENDOR
        case ((Act.ALLOCATE | Act.SET_ASIDE | Act.RESTOCK), _):
            return Refusal.HELD_BY_A_CASE
        case Act.REGISTER, _:
            return Refusal.IS_REGISTERED
        case Act.CANCEL, _:
            return Refusal.NOT_REGISTERED
        case _, State.AWAITING_VENDOR:
            return Refusal.WAITS_FOR_VENDOR
        case _:
            return Refusal.ALREADY_SO


def sources(act: Act) -> tuple[State, ...]:
    """The states that the act leads out of."""
    return tuple(MOVES[act])
