"""The environment of the eligibility process."""

from kit.settings import ProcessSettings


class EligibilitySettings(ProcessSettings):
    """Eligibility needs nothing beyond what every process has."""
