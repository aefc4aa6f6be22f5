"""The public page of a credential: whoever holds its link may verify it."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from kit.problems import request_id_of
from services.applications import views
from services.applications.api.doors import ApplicationsDoors
from services.applications.usecases import reading

Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{32}$", description="From the credential's verification link")]


def router(doors: ApplicationsDoors) -> APIRouter:
    """Routes without an API key."""
    routes = APIRouter(prefix="/v1/credentials", tags=["public"])

    @routes.get("/{verification_token}")
    async def read_credential(verification_token: Token, request: Request) -> views.PublicCredential:
        """What was earned, where and when; by whom only with the person's consent."""
        return await reading.read_credential(
            verification_token, request_id=request_id_of(request), db=doors.db, vault=doors.vault
        )

    return routes
