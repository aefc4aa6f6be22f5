"""schemathesis against the whole OpenAPI document of the running stack: never a 5xx, answers as documented."""

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from tests.journeys.demo_run import DemoRun

SCOPES = {
    "partner": ("demo-portal", ["applications:write", "applications:read", "exam-vouchers:reveal"]),
    "provider": (
        "lorain-ccc",
        ["enrollments:write", "enrollments:read", "claims:read", "webhooks:write", "webhooks:read"],
    ),
}
EXAMPLES_MAX = 12
