"""A workflow to carry steps and traces in tests. In a file of its own: the sandbox imports it again."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from contracts.ids import ApplicationId
    from contracts.steps import Queue, Step, StepInput, StepOutput


class Weigh(StepInput):
    mode: str


class Weighed(StepOutput):
    grams: int
    traceparent: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    attempt: int = 0


WEIGH = Step("payments.weigh.v1", Queue.PAYMENTS, Weigh, Weighed)
STAMP = Step("payments.stamp.v1", Queue.PAYMENTS, Weigh, Weighed)
APPLICATION = ApplicationId.derive("parcel")


@workflow.defn
class ParcelWorkflow:
    @workflow.init
    def __init__(self, modes: list[str]) -> None:
        self._modes = list(modes)

    @workflow.run
    async def run(self, modes: list[str]) -> list[Weighed]:
        weighed: list[Weighed] = []
        while not self._modes or self._modes[0] != "stop":
            await workflow.wait_condition(lambda: bool(self._modes))
            if self._modes[0] == "stop":
                break
            asked = Weigh(application_id=APPLICATION, mode=self._modes.pop(0))
            weighed.append(
                await workflow.execute_activity(
                    WEIGH.name,
                    asked,
                    result_type=Weighed,
                    task_queue=Queue.PAYMENTS.value,
                    start_to_close_timeout=timedelta(seconds=10),
                    retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=10), maximum_attempts=3),
                )
            )
        return weighed

    @workflow.signal
    def add(self, mode: str) -> None:
        self._modes.append(mode)
