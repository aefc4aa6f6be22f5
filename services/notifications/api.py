"""The HTTP doors: a provider looks after its webhook endpoints; staff and partners read who was told what."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from contracts.ids import ApplicationId, WebhookEndpointId
from kit.access import Access, Principal
from kit.db import Database
from kit.http import once_from, require, respond
from kit.idempotency import Once
from kit.paging import CursorParameter, LimitParameter, PageCursors
from services.notifications.usecases import endpoints
from services.notifications.usecases.endpoints import EndpointDesk
from services.notifications.usecases.reading import notices_of
from services.notifications.views import (
    DeliveryPage,
    EndpointMade,
    EndpointPage,
    EndpointShown,
    NewEndpoint,
    NoticeList,
    PingSent,
    ReplayFrom,
    ReplayStarted,
    SecretRotated,
    deliveries_shown,
    notices_shown,
)

EndpointPath = Annotated[WebhookEndpointId, Path(alias="endpoint_id")]


@dataclass(frozen=True, slots=True)
class NotificationsDoors:
    """What the doors of notifications open onto."""

    access: Access
    db: Database
    desk: EndpointDesk
    cursors: PageCursors


def router(doors: NotificationsDoors) -> APIRouter:
    """Every HTTP route of notifications."""
    routes = APIRouter()
    for doorway in (_endpoints, _deliveries):
        routes.include_router(doorway(doors), prefix="/v1/webhook-endpoints", tags=["webhooks"])
    routes.include_router(_notices(doors), prefix="/v1/applications", tags=["notices"])
    return routes


def _endpoints(doors: NotificationsDoors) -> APIRouter:
    routes = APIRouter()
    reader = require(doors.access, "provider", "webhooks:read")
    writer = require(doors.access, "provider", "webhooks:write")
    keyed = once_from(writer)
    desk = doors.desk

    @routes.post("", status_code=201, response_model=EndpointMade)
    async def register_webhook_endpoint(
        body: NewEndpoint, who: Principal = Depends(writer), once: Once = Depends(keyed)
    ) -> Response:
        """Register an address. Its secret is shown this once; a `ping` with a challenge follows, to be echoed."""
        return respond(await endpoints.register_endpoint(who.id, body.url, once=once, desk=desk))

    @routes.get("")
    async def list_webhook_endpoints(
        who: Principal = Depends(reader), limit: LimitParameter = 50, cursor: CursorParameter = None
    ) -> EndpointPage:
        """Your endpoints, oldest first."""
        scope = f"webhook_endpoints|{who.name}"
        position = doors.cursors.verify(scope, cursor)
        found = await endpoints.list_endpoints(
            who.id, after=str(position[0]) if position else "", limit=limit, desk=desk
        )
        more = doors.cursors.sign(scope, [found[-1].endpoint_id]) if len(found) == limit else None
        return EndpointPage(items=[EndpointShown.of(one) for one in found], next=more)

    @routes.get("/{endpoint_id}")
    async def read_webhook_endpoint(endpoint_id: EndpointPath, who: Principal = Depends(reader)) -> EndpointShown:
        """One endpoint: its state and how it fares."""
        return EndpointShown.of(await endpoints.read_endpoint(who.id, endpoint_id, desk=desk))

    @routes.delete("/{endpoint_id}", status_code=204)
    async def disable_webhook_endpoint(endpoint_id: EndpointPath, who: Principal = Depends(writer)) -> None:
        """Send nothing more to it. What it has not taken waits for your next endpoint."""
        await endpoints.disable_endpoint(who.id, endpoint_id, desk=desk)

    return routes


def _deliveries(doors: NotificationsDoors) -> APIRouter:
    routes = APIRouter()
    reader = require(doors.access, "provider", "webhooks:read")
    writer = require(doors.access, "provider", "webhooks:write")
    keyed = once_from(writer)
    desk = doors.desk

    @routes.post("/{endpoint_id}/ping", status_code=202, response_model=PingSent)
    async def ping_webhook_endpoint(
        endpoint_id: EndpointPath, who: Principal = Depends(writer), once: Once = Depends(keyed)
    ) -> Response:
        """Send a test message; to an unverified endpoint, its challenge again."""
        return respond(await endpoints.ping_endpoint(who.id, endpoint_id, once=once, desk=desk))

    @routes.get("/{endpoint_id}/deliveries")
    async def list_webhook_deliveries(
        endpoint_id: EndpointPath,
        who: Principal = Depends(reader),
        limit: LimitParameter = 50,
        cursor: CursorParameter = None,
    ) -> DeliveryPage:
        """Every message to this endpoint, oldest first, with every attempt."""
        scope = _log_scope(who, endpoint_id)
        position = doors.cursors.verify(scope, cursor)
        page, attempts = await endpoints.list_deliveries(
            who.id, endpoint_id, after=int(position[0]) if position else 0, limit=limit, desk=desk
        )
        more = doors.cursors.sign(scope, [page[-1].position]) if page else cursor
        return DeliveryPage(items=deliveries_shown(page, attempts), next=more)

    @routes.post("/{endpoint_id}/replay", status_code=202, response_model=ReplayStarted)
    async def replay_webhook_messages(
        endpoint_id: EndpointPath, body: ReplayFrom, who: Principal = Depends(writer), once: Once = Depends(keyed)
    ) -> Response:
        """Send messages again under their old ids: from one message on, or after a cursor of the delivery log."""
        position = doors.cursors.verify(_log_scope(who, endpoint_id), body.cursor)
        answer = await endpoints.replay(
            who.id,
            endpoint_id,
            message_id=body.message_id,
            after_position=int(position[0]) if position else None,
            once=once,
            desk=desk,
        )
        return respond(answer)

    @routes.post("/{endpoint_id}/secret-rotation", status_code=201, response_model=SecretRotated)
    async def rotate_webhook_secret(
        endpoint_id: EndpointPath, who: Principal = Depends(writer), once: Once = Depends(keyed)
    ) -> Response:
        """A new signing secret, shown this once. For a day the old one signs too."""
        return respond(await endpoints.rotate_secret(who.id, endpoint_id, once=once, desk=desk))

    return routes


def _notices(doors: NotificationsDoors) -> APIRouter:
    routes = APIRouter()
    reader = require(doors.access, {"partner", "staff"}, "applications:read")

    @routes.get("/{application_id}/notices")
    async def list_notices(application_id: ApplicationId, who: Principal = Depends(reader)) -> NoticeList:
        """What the person was told, when and in which language; never the text or the address."""
        partner_id = who.id if who.kind == "partner" else None
        return notices_shown(await notices_of(application_id, partner_id=partner_id, db=doors.db))

    return routes


def _log_scope(who: Principal, endpoint_id: WebhookEndpointId) -> str:
    """A cursor of one delivery log is good for the next page and for a replay, and for no other log."""
    return f"webhook_deliveries|{who.name}|{endpoint_id}"
