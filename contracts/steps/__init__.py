"""What the journey may ask of a service: one typed descriptor per step, executed on the owner's task queue."""

from contracts.steps.base import Queue, Step, StepInput, StepOutput, StepPace, StepRequest

__all__ = ["Queue", "Step", "StepInput", "StepOutput", "StepPace", "StepRequest"]
