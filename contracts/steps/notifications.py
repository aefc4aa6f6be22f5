"""What the journey may ask of notifications: nothing yet. Notices and webhooks follow facts."""

from typing import Any

from contracts.steps.base import Step

STEPS: tuple[Step[Any, Any], ...] = ()
