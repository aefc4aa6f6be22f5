"""The sandbox the journey runs in: what is imported once for all cases, and what anew for each."""

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


def journey_runner() -> SandboxedWorkflowRunner:
    """The runner for workers and for replays: both must see the same restrictions."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))
