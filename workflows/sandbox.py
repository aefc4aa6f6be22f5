"""How the journey is run: in a sandbox wherever it is tested and replayed, as it is in production."""

from temporalio.worker import UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

PASSED_THROUGH = (
    "contracts",
    "workflows.attributes",
    "workflows.calls",
    "workflows.deadlines",
    "workflows.facts",
    "workflows.questions",
    "workflows.requests",
)
"""Pure modules without state. Importing the contracts anew for each case would cost more than its steps."""


def plain_runner() -> UnsandboxedWorkflowRunner:
    """The runner of the workflows process: code that the sandbox has let pass needs no second look at each case.

    A sandbox imports the journey anew for every case, which costs as much as conducting it, and keeps it in memory.
    """
    return UnsandboxedWorkflowRunner()


def journey_runner() -> SandboxedWorkflowRunner:
    """The runner of tests and replays: it refuses clocks, randomness, files and sockets inside the journey."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))
