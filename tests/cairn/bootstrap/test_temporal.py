"""The namespace and its search attributes: made once, usable at once, refused where a type differs."""

import uuid
from datetime import UTC, datetime

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from cairn.bootstrap.temporal import SEARCH_ATTRIBUTES, SearchAttributeDiffers, ensure_namespace


async def test_namespace_is_made_once_and_takes_a_workflow_at_once(temporal_address: str) -> None:
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    first = await ensure_namespace(temporal_address, namespace)
    assert first == {"namespace_created": True, "search_attributes_added": list(SEARCH_ATTRIBUTES)}
    again = await ensure_namespace(temporal_address, namespace)
    assert again == {"namespace_created": False, "search_attributes_added": []}
    client = await Client.connect(temporal_address, namespace=namespace)
    pairs = [
        SearchAttributePair(SearchAttributeKey.for_keyword("CaseStage"), "learning"),
        SearchAttributePair(SearchAttributeKey.for_datetime("DueAt"), datetime(2026, 6, 30, tzinfo=UTC)),
        SearchAttributePair(SearchAttributeKey.for_int("AmountCents"), 300_000),
        SearchAttributePair(SearchAttributeKey.for_bool("NeedsStaff"), True),
    ]
    await client.start_workflow("Any", id="one", task_queue="nobody", search_attributes=TypedSearchAttributes(pairs))


async def test_another_type_is_refused(temporal_address: str) -> None:
    namespace = f"test-{uuid.uuid4().hex[:8]}"
    await ensure_namespace(temporal_address, namespace)
    client = await Client.connect(temporal_address, namespace=namespace)
    request = AddSearchAttributesRequest(
        namespace=namespace, search_attributes={"Extra": IndexedValueType.INDEXED_VALUE_TYPE_INT}
    )
    await client.operator_service.add_search_attributes(request)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SEARCH_ATTRIBUTES, "Extra", IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD)
        with pytest.raises(SearchAttributeDiffers, match="Extra"):
            await ensure_namespace(temporal_address, namespace)
