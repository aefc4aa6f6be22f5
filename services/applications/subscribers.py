"""What applications listens to: published programs, and every fact about a case."""

from collections.abc import Mapping

from contracts.envelope import Fact
from contracts.events.eligibility import ProgramPublished
from kit.inbox import Handler
from services.applications.entries import ENTRIES
from services.applications.usecases.following import copy_program, follow_case

CONSUMER = "applications.cases"


def handlers() -> Mapping[type[Fact], Handler]:
    """By type of fact: what to do with it."""
    return {ProgramPublished: copy_program, **dict.fromkeys(ENTRIES, follow_case)}
