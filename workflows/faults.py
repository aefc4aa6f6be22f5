"""What Temporal's refusals mean for a fact on its way: later, never, or that its case is over.

Only a fault of the fact itself may end it. A namespace, a search attribute or a permission that is missing has to be
mended by somebody, and every fact waits for it.
"""

from temporalio.api.errordetails.v1 import NotFoundFailure
from temporalio.service import RPCError, RPCStatusCode

SEARCH_ATTRIBUTE = "search attribute"
"""How the server names the only part of a request that is the namespace's doing. It sends no typed detail with it."""


def case_is_over(error: RPCError) -> bool:
    """No such workflow runs. A namespace that is not there answers with the same status, but another detail."""
    found = [detail.Is(NotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details]
    return error.status is RPCStatusCode.NOT_FOUND and any(found)


def is_bad_input(error: RPCError) -> bool:
    """The request itself cannot be taken, now or later: it is too large, or the case was told too often."""
    return error.status is RPCStatusCode.INVALID_ARGUMENT and SEARCH_ATTRIBUTE not in error.message.lower()
