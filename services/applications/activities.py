"""The steps the journey may ask of applications, on its task queue."""

from collections.abc import Callable, Sequence
from typing import Any

from contracts.steps.applications import (
    CLOSE_CASE,
    LAPSE_CASE,
    RECORD_CREDENTIAL,
    RECORD_STAFF_ACT,
    REMIND_COLLEGE,
    REQUEST_ENROLLMENT,
    CaseLapsed,
    CloseCase,
    CredentialOnRecord,
    Done,
    EnrollmentRequestedResult,
    LapseCase,
    RecordCredential,
    RecordStaffAct,
    RemindCollege,
    RequestEnrollment,
)
from kit.clock import Clock
from kit.db import Database
from kit.temporal import implements
from services.applications.usecases import conducting


class ApplicationsSteps:
    """Each step with the pool and the clock it runs on."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    @implements(REQUEST_ENROLLMENT)
    async def request_enrollment(self, ask: RequestEnrollment) -> EnrollmentRequestedResult:
        return await conducting.request_enrollment(ask, db=self._db, now=self._clock.now())

    @implements(REMIND_COLLEGE)
    async def remind_college(self, ask: RemindCollege) -> Done:
        return await conducting.remind_college(ask, db=self._db, now=self._clock.now())

    @implements(RECORD_CREDENTIAL)
    async def record_credential(self, ask: RecordCredential) -> CredentialOnRecord:
        return await conducting.record_credential(ask, db=self._db, now=self._clock.now())

    @implements(RECORD_STAFF_ACT)
    async def record_staff_act(self, ask: RecordStaffAct) -> Done:
        return await conducting.record_staff_act(ask, db=self._db, now=self._clock.now())

    @implements(CLOSE_CASE)
    async def close_case(self, ask: CloseCase) -> Done:
        return await conducting.close_case(ask, db=self._db, now=self._clock.now())

    @implements(LAPSE_CASE)
    async def lapse_case(self, ask: LapseCase) -> CaseLapsed:
        return await conducting.lapse_case(ask, db=self._db, now=self._clock.now())

    def all(self) -> Sequence[Callable[..., Any]]:
        return (
            self.request_enrollment,
            self.remind_college,
            self.record_credential,
            self.record_staff_act,
            self.close_case,
            self.lapse_case,
        )
