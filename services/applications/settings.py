"""The environment of the applications process."""

from typing import Annotated

from pydantic import Field

from kit.settings import ProcessSettings


class ApplicationsSettings(ProcessSettings):
    """What only applications needs: how many connections its doors and its own work may take."""

    applications_connections_max: Annotated[int, Field(ge=2, le=200)] = 10
