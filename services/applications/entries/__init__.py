"""The timeline's lines: each fact in a sentence, with its place on the path and what comes next."""

from services.applications.entries import applications, eligibility, notifications, payments
from services.applications.entries.book import ENTRIES, entry_of

__all__ = ["ENTRIES", "applications", "eligibility", "entry_of", "notifications", "payments"]
