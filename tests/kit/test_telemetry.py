import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider

from kit.telemetry import TraceContext, continue_trace, current_trace, metrics_page, redact, redact_event, span

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SSN, EMAIL, NAME, CODE = "123-45-6789", "ada@example.org", "Ada", "CSA-7781-XQ"

# In a process of its own: logs and tracer are configured once per process.
PROGRAM = f"""
import logging, os
from pathlib import Path
from kit import telemetry
from kit.settings import ProcessSettings
from contracts.errors import NotFound

settings = ProcessSettings(secrets_dir=Path("."), traces_file=Path(os.environ["TRACES"]))
telemetry.configure("tester", settings)
log = telemetry.logger("kit.test")
with telemetry.continue_trace("00-{TRACE}-{PARENT}-01", "request-1", "cause-1"):
    with telemetry.span("work", "server", cents=5, note="mail {EMAIL}"):
        log.info("person.seen", given_name="{NAME}", ssn="{SSN}", exam_code="{CODE}", text="call {EMAIL} or {SSN}",
                 nested={{"contact": {{"email": "{EMAIL}"}}, "list": ["{SSN}"]}}, raw=b"{SSN}", application_id="app_1")
        logging.getLogger("library").warning("value %r is bad", "{SSN}")
        try:
            try:
                int("{SSN}")
            except ValueError as error:
                raise RuntimeError("{NAME} {EMAIL}") from error
        except RuntimeError:
            log.exception("it.failed")
        try:
            raise NotFound(kind="parcel")
        except NotFound as error:
            log.warning("not.there", exc_info=error)
    try:
        with telemetry.span("broken"):
            raise ValueError("{SSN}")
    except ValueError:
        pass
with telemetry.continue_trace(None):
    with telemetry.span("new"):
        print(telemetry.current_trace().traceparent)
telemetry.shutdown()
os._exit(0)
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[dict[str, object]]]:
    traces = tmp_path_factory.mktemp("traces") / "spans.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env={"TRACES": str(traces)},
        timeout=60,
    )
    assert done.stderr == ""
    text = done.stdout + traces.read_text()
    for secret in (SSN, EMAIL, NAME, CODE):
        assert secret not in text
    return done.stdout.splitlines(), [json.loads(line) for line in traces.read_text().splitlines()]


def test_logs_are_json_lines_with_trace_and_correlation(output: tuple[list[str], list[dict[str, object]]]) -> None:
    seen, library, failed, absent = [json.loads(line) for line in output[0][:4]]
    for line in (seen, library, failed, absent):
        assert (line["process"], line["trace_id"], line["correlation_id"]) == ("tester", TRACE, "request-1")
    assert seen["application_id"] == "app_1"
    assert seen["text"] == "call [masked] or [masked]"
    assert seen["nested"] == {"contact": {"email": "[masked]"}, "list": ["[masked]"]}
    assert seen["raw"] == "11 bytes"


def test_errors_are_logged_by_kind_and_place(output: tuple[list[str], list[dict[str, object]]]) -> None:
    failed, absent = json.loads(output[0][2]), json.loads(output[0][3])
    assert failed["error"] == ["builtins.RuntimeError", "builtins.ValueError"]
    assert failed["frames"]
    assert absent["error"] == ["contracts.errors.NotFound [not_found] There is no such parcel here."]


def test_spans_are_lines_of_the_traces_file(output: tuple[list[str], list[dict[str, object]]]) -> None:
    work, broken, new = output[1]
    assert (work["name"], work["trace_id"], work["parent_id"], work["kind"]) == ("work", TRACE, PARENT, "server")
    assert work["attributes"] == {"cents": "5", "note": "mail [masked]"}
    assert (broken["status"], broken["error"]) == ("error", "ValueError")
    assert new["parent_id"] is None
    assert new["trace_id"] != TRACE
    assert output[0][4].startswith(f"00-{new['trace_id']}-")


def test_a_log_that_nobody_reads_stops_nothing() -> None:
    program = PROGRAM.replace("with telemetry.continue_trace(None)", "os.close(1)\nwith telemetry.continue_trace(None)")
    program = program.replace("print(telemetry.current_trace().traceparent)", "log.info('on.and.on')")
    command, environment = [sys.executable, "-c", program], {"TRACES": "/dev/null"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment, timeout=60)


@pytest.mark.parametrize(
    "traceparent",
    [
        None, "", "garbage", f"00-{TRACE}-{PARENT}", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01",
        f"01-{TRACE}-{PARENT}-01", f"00-{TRACE.upper()}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01\n",
    ],
)  # fmt: skip
def test_an_unfit_traceparent_is_not_continued(traceparent: str | None) -> None:
    with continue_trace(traceparent, "c"):
        assert current_trace() == TraceContext(None, "c", None)


def test_contexts_nest_and_end() -> None:
    outer = TraceContext(f"00-{TRACE}-{PARENT}-01", "outer", "cause")
    with continue_trace(outer.traceparent, outer.correlation_id, outer.causation_id):
        assert current_trace() == outer
        with continue_trace(None, "inner"):
            assert current_trace() == TraceContext(None, "inner", None)
        assert current_trace() == outer
    assert current_trace() == TraceContext()


async def test_tasks_side_by_side_keep_their_own_trace() -> None:
    async def work(number: int) -> str | None:
        with continue_trace(None, f"request-{number}"):
            await asyncio.sleep(0)
            with span("step"):
                await asyncio.sleep(0)
                return current_trace().correlation_id

    assert await asyncio.gather(*(work(n) for n in range(20))) == [f"request-{n}" for n in range(20)]


@pytest.mark.parametrize(
    "text",
    [
        "x ada.l+o@mail.example.org y", "123-45-6789", "ssn=123456789.", "123 45 6789",
        "cairn_0123456789ab_" + "f" * 64 + "_01234567", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "Authorization: Bearer abcdefghijklmnop", "postgresql://cairn_x:pa55word@127.0.0.1/cairn",
        "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2ln",
    ],
)  # fmt: skip
def test_what_looks_personal_or_secret_is_masked(text: str) -> None:
    assert "[masked]" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "app_01k9abcdefghjkmnpqrstvwxyz", "2026-03-02T10:00:00.123456Z", "0af7651916cd43dd8448eb211c80319c",
        "urn:cairn:problem:not_found", "cairn.applications.application.submitted.v1", "127.0.0.1:5432",
        "amount 1234567",
        "0192b3c4-1234-7000-8000-123456789012",
    ],
)  # fmt: skip
def test_ids_and_times_are_not(text: str) -> None:
    assert redact(text) == text


def test_fields_are_masked_by_name_unless_they_are_ids_or_sums() -> None:
    event = {
        "email": 1, "applicant_email": 1, "Date-Of-Birth": 1, "street": 1, "api_key": 1, "family_name": 1, "token": 1,
        "webhook_secret": 1, "phone_number": 1, "person_id": 1, "token_count": 1, "payload_bytes": 1, "event_name": 1,
        "code": 1, "reason_code": 1,
    }  # fmt: skip
    masked = {name for name, value in redact_event(None, "", dict(event)).items() if value != 1}
    assert masked == {
        "email", "applicant_email", "Date-Of-Birth", "street", "api_key", "family_name", "token", "webhook_secret",
        "phone_number",
    }  # fmt: skip


def test_metrics_are_those_of_the_default_registry() -> None:
    body, kind = metrics_page()
    assert b"python_info" in body
    assert kind.startswith("text/plain")


def test_a_sampled_span_has_a_trace_of_its_own() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    with provider.get_tracer("t").start_as_current_span("s") as one:
        assert (current_trace().traceparent or "").split("-")[1] == f"{one.get_span_context().trace_id:032x}"


def test_the_traces_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    from kit.telemetry import _file_exporter

    exporter = _file_exporter(tmp_path / "spans.jsonl")
    exporter.shutdown()
    assert (tmp_path / "spans.jsonl").stat().st_mode & 0o777 == 0o600
