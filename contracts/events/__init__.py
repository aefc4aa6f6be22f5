"""The facts of every service. Importing this package fills `Fact.registry`."""

from contracts.events import applications, eligibility, notifications, payments

__all__ = ["applications", "eligibility", "notifications", "payments"]
