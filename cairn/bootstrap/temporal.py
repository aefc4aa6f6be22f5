"""Temporal's namespace and the journey's search attributes."""

import asyncio
import time
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeNamespaceRequest,
    RegisterNamespaceRequest,
)
from temporalio.service import ConnectConfig, RPCError, RPCStatusCode, ServiceClient

from cairn.exits import Fault
from contracts.journey import SEARCH_BOOLS, SEARCH_DATETIMES, SEARCH_INTS, SEARCH_KEYWORDS

# Closed cases stay visible in the UI that long; the rows in PostgreSQL are the record.
RETENTION = timedelta(days=90)
VISIBLE_SECONDS_MAX = 90.0
POLL_SECONDS = 0.1

SEARCH_ATTRIBUTES = {
    **dict.fromkeys(SEARCH_KEYWORDS, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD),
    **dict.fromkeys(SEARCH_DATETIMES, IndexedValueType.INDEXED_VALUE_TYPE_DATETIME),
    **dict.fromkeys(SEARCH_INTS, IndexedValueType.INDEXED_VALUE_TYPE_INT),
    **dict.fromkeys(SEARCH_BOOLS, IndexedValueType.INDEXED_VALUE_TYPE_BOOL),
}


class SearchAttributeDiffers(Fault):
    """A search attribute exists with another type; Temporal cannot retype it."""

    code = "search_attribute_differs"

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"These search attributes exist on the namespace with another type: {', '.join(names)}.")


async def ensure_namespace(address: str, namespace: str) -> dict[str, object]:
    """The namespace with its search attributes, ready for use; what was created."""
    try:
        client = await ServiceClient.connect(ConnectConfig(target_host=address))
    except RuntimeError as fault:
        raise ConnectionError(str(fault)) from fault
    created = False
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
    except RPCError as fault:
        if fault.status != RPCStatusCode.NOT_FOUND:
            raise
        request = RegisterNamespaceRequest(namespace=namespace)
        request.workflow_execution_retention_period.FromTimedelta(RETENTION)
        try:
            await client.workflow_service.register_namespace(request)
            created = True
        except RPCError as lost:
            # Another bootstrap was a moment quicker.
            if lost.status != RPCStatusCode.ALREADY_EXISTS:
                raise
    added = await _ensure_search_attributes(client, namespace)
    return {"namespace_created": created, "search_attributes_added": added}


async def _ensure_search_attributes(client: ServiceClient, namespace: str) -> list[str]:
    missing = await _missing(client, namespace)
    if missing:
        await _until_usable(client, namespace)
        request = AddSearchAttributesRequest(
            namespace=namespace, search_attributes={name: SEARCH_ATTRIBUTES[name] for name in missing}
        )
        await client.operator_service.add_search_attributes(request)
        give_up = time.monotonic() + VISIBLE_SECONDS_MAX
        while await _missing(client, namespace):
            if time.monotonic() > give_up:
                raise TimeoutError("Temporal does not show the search attributes that were added")
            await asyncio.sleep(POLL_SECONDS)
    await _until_usable(client, namespace)
    return missing


async def _missing(client: ServiceClient, namespace: str) -> list[str]:
    try:
        answer = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=namespace))
    except RPCError as fault:
        if fault.status != RPCStatusCode.NOT_FOUND:
            raise
        return list(SEARCH_ATTRIBUTES)
    known = dict(answer.custom_attributes)
    wrong = [name for name, kind in SEARCH_ATTRIBUTES.items() if name in known and known[name] != kind]
    if wrong:
        raise SearchAttributeDiffers(wrong)
    return [name for name in SEARCH_ATTRIBUTES if name not in known]


async def _until_usable(client: ServiceClient, namespace: str) -> None:
    """A new namespace is known to every part of the server only after its caches are renewed."""
    give_up = time.monotonic() + VISIBLE_SECONDS_MAX
    while True:
        try:
            request = CountWorkflowExecutionsRequest(namespace=namespace)
            await client.workflow_service.count_workflow_executions(request)
            return
        except RPCError:
            if time.monotonic() > give_up:
                raise
            await asyncio.sleep(POLL_SECONDS)
