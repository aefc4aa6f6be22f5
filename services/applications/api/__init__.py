"""The HTTP doors of applications: for partners, colleges, staff, and whoever verifies a credential."""

from fastapi import APIRouter

from services.applications.api import college, partner, public, staff
from services.applications.api.doors import ApplicationsDoors

__all__ = ["ApplicationsDoors", "router"]


def router(doors: ApplicationsDoors) -> APIRouter:
    """Every route of the service."""
    routes = APIRouter()
    for part in (partner, college, staff, public):
        routes.include_router(part.router(doors))
    return routes
