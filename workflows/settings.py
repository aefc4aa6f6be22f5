"""The environment of the workflows process."""

import os
from typing import Annotated

from pydantic import Field

from kit.settings import ProcessSettings

TASKS_PER_CORE = 6
"""Workflow tasks at once for each core: four to eight is where the server's round trips are hidden."""


class WorkflowsSettings(ProcessSettings):
    """What only workflows needs: how many journeys are worked on and kept in memory at once."""

    journey_tasks_max: Annotated[int, Field(ge=2, le=1000)] = max(4, TASKS_PER_CORE * (os.cpu_count() or 1))
    journeys_cached_max: Annotated[int, Field(ge=0, le=100_000)] = 600
    """A cached journey costs memory; one that is not cached is replayed from its history."""
