"""The college API: answer, report the course, attest, report exams, claim; for a provider's own enrollments alone.

Issuers hand in their own statements through the same door, for the credentials they may attest.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from contracts.ids import ApplicationId, EnrollmentId
from kit.access import Principal
from kit.http import once_from, require, respond
from kit.idempotency import Once
from kit.paging import CursorParameter, LimitParameter
from kit.problems import request_id_of
from services.applications import views
from services.applications.api.doors import ApplicationsDoors
from services.applications.commands import (
    AnswerEnrollment,
    Attest,
    RegisterExam,
    ReportExamResult,
    ReportMilestone,
    ReportStart,
    ReportWithdrawal,
    SubmitClaim,
)
from services.applications.domain import EnrollmentState
from services.applications.usecases import attesting, college, reading

StateParameter = Annotated[EnrollmentState | None, Query(alias="state", description="Only enrollments in this state")]


def router(doors: ApplicationsDoors) -> APIRouter:
    """Routes for API keys of training providers, and of issuers where they attest."""
    routes = APIRouter(prefix="/v1", tags=["college"])
    routes.include_router(_reading(doors))
    routes.include_router(_course(doors))
    routes.include_router(_credential(doors))
    return routes


def _reading(doors: ApplicationsDoors) -> APIRouter:
    routes = APIRouter(prefix="/enrollments")
    reader = require(doors.access, "provider", "enrollments:read")

    @routes.get("")
    async def list_enrollments(
        provider: Annotated[Principal, Depends(reader)],
        state: StateParameter = None,
        cursor: CursorParameter = None,
        limit: LimitParameter = 50,
    ) -> views.EnrollmentPage:
        """The provider's enrollments."""
        scope = f"enrollments|{provider.name}|{state}"
        found = await reading.list_enrollments(
            provider_id=provider.id,
            state=state,
            after=doors.after(scope, cursor),
            limit=limit + 1,
            db=doors.db,
            public_url=doors.public_url,
        )
        items, following = doors.page(scope, found, limit, lambda view: view.enrollment_id)
        return views.EnrollmentPage(items=items, next=following)

    @routes.get("/{enrollment_id}")
    async def read_enrollment(
        enrollment_id: EnrollmentId, provider: Annotated[Principal, Depends(reader)]
    ) -> views.EnrollmentView:
        """One enrollment, without the person's details."""
        return await reading.read_enrollment(
            enrollment_id, provider_id=provider.id, db=doors.db, public_url=doors.public_url
        )

    @routes.get("/{enrollment_id}/person")
    async def read_person(
        enrollment_id: EnrollmentId, request: Request, provider: Annotated[Principal, Depends(reader)]
    ) -> views.EnrolledPerson:
        """Whom to enroll. Every reading is on the audit record; 403 once the person is no longer the college's."""
        return await reading.read_enrolled_person(
            enrollment_id,
            provider_id=provider.id,
            request_id=request_id_of(request),
            db=doors.db,
            vault=doors.vault,
        )

    return routes


def _course(doors: ApplicationsDoors) -> APIRouter:
    routes = APIRouter(prefix="/enrollments/{enrollment_id}")
    writer = require(doors.access, "provider", "enrollments:write")
    once_only = once_from(writer)

    @routes.post("/answer", response_model=views.EnrollmentView)
    async def answer_enrollment(
        enrollment_id: EnrollmentId,
        command: AnswerEnrollment,
        provider: Annotated[Principal, Depends(writer)],
        once: Annotated[Once, Depends(once_only)],
    ) -> Response:
        """Accept, put on the college's own waiting list, or refuse with reasons."""
        call = doors.call(provider, once)
        return respond(
            await college.answer_enrollment(enrollment_id, command, call, db=doors.db, public_url=doors.public_url)
        )

    @routes.post("/start", response_model=views.EnrollmentView)
    async def report_start(
        enrollment_id: EnrollmentId,
        command: ReportStart,
        provider: Annotated[Principal, Depends(writer)],
        once: Annotated[Once, Depends(once_only)],
    ) -> Response:
        """The person began the course."""
        call = doors.call(provider, once)
        return respond(await college.report_start(enrollment_id, call, db=doors.db, public_url=doors.public_url))

    @routes.post("/milestones", response_model=views.EnrollmentView)
    async def report_milestone(
        enrollment_id: EnrollmentId,
        command: ReportMilestone,
        provider: Annotated[Principal, Depends(writer)],
        once: Annotated[Once, Depends(once_only)],
    ) -> Response:
        """The person reached a milestone that the program lists for the credential."""
        call = doors.call(provider, once)
        return respond(
            await college.report_milestone(enrollment_id, command, call, db=doors.db, public_url=doors.public_url)
        )

    @routes.post("/withdrawal", response_model=views.EnrollmentView)
    async def report_withdrawal(
        enrollment_id: EnrollmentId,
        command: ReportWithdrawal,
        provider: Annotated[Principal, Depends(writer)],
        once: Annotated[Once, Depends(once_only)],
    ) -> Response:
        """The person left the course."""
        call = doors.call(provider, once)
        return respond(
            await college.report_withdrawal(enrollment_id, command, call, db=doors.db, public_url=doors.public_url)
        )

    return routes


def _credential(doors: ApplicationsDoors) -> APIRouter:
    routes = APIRouter()
    writer = require(doors.access, "provider", "enrollments:write")
    once_only = once_from(writer)
    attester = require(doors.access, {"provider", "issuer"}, "enrollments:write")
    issuer = require(doors.access, "issuer", "enrollments:read")

    @routes.get("/enrollments/{enrollment_id}/attestation")
    async def read_attestable_enrollment(
        enrollment_id: EnrollmentId, caller: Annotated[Principal, Depends(issuer)]
    ) -> views.AttestableEnrollment:
        """For an issuer: how far the course has come, in a credential it may attest."""
        return await attesting.read_attestable(enrollment_id, issuer_id=caller.id, db=doors.db)

    @routes.post("/enrollments/{enrollment_id}/attestation", response_model=views.AttestationTaken)
    async def attest_completion(
        enrollment_id: EnrollmentId,
        command: Attest,
        caller: Annotated[Principal, Depends(attester)],
        once: Annotated[Once, Depends(once_from(attester))],
    ) -> Response:
        """Hand in a registered issuer's signed statement of completion; it is kept exactly as it was signed.

        The college may hand in the statement of any issuer of the credential, an issuer its own.
        """
        call, by_issuer = doors.call(caller, once), caller.kind == "issuer"
        return respond(
            await attesting.attest_completion(enrollment_id, command, call, by_issuer=by_issuer, db=doors.db)
        )

    @routes.post("/applications/{application_id}/exam-registration", response_model=views.ExamAttemptView)
    async def register_exam(
        application_id: ApplicationId,
        command: RegisterExam,
        provider: Annotated[Principal, Depends(writer)],
        once: Annotated[Once, Depends(once_only)],
    ) -> Response:
        """The person is registered for an attempt at the certification exam."""
        call = doors.call(provider, once)
        return respond(await college.register_exam(application_id, command, call, db=doors.db))

    @routes.post("/applications/{application_id}/exam-result", response_model=views.ExamAttemptView)
    async def report_exam_result(
        application_id: ApplicationId,
        command: ReportExamResult,
        provider: Annotated[Principal, Depends(writer)],
        once: Annotated[Once, Depends(once_only)],
    ) -> Response:
        """A registered attempt has a result."""
        call = doors.call(provider, once)
        return respond(await college.report_exam_result(application_id, command, call, db=doors.db))

    @routes.post("/enrollments/{enrollment_id}/claims", status_code=201, response_model=views.ClaimTaken)
    async def submit_claim(
        enrollment_id: EnrollmentId,
        command: SubmitClaim,
        provider: Annotated[Principal, Depends(writer)],
        once: Annotated[Once, Depends(once_only)],
    ) -> Response:
        """Claim reimbursement of an earned credential. It is matched and decided afterwards."""
        call = doors.call(provider, once)
        return respond(await college.submit_claim(enrollment_id, command, call, db=doors.db))

    return routes
