"""Any valid file, as Hypothesis builds it: batches of every class, forward and back, with and without addenda."""

from datetime import date

from hypothesis import strategies as st

from services.payments.nacha import (
    CHANGE_REASONS,
    RETURN_REASONS,
    BatchHeader,
    ChangeAddendum,
    Correction,
    Dispute,
    Entry,
    FileHeader,
    FileReader,
    ReturnAddendum,
    ServiceClass,
    Verdict,
    check_digit,
    corrected_data,
)
from services.payments.nacha.changes import REFUSALS
from services.payments.nacha.model import day_text
from services.payments.nacha.returns import CONTESTED, DEATH, DISHONORED

printable = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
days = st.dates(date(2000, 1, 1), date(2099, 12, 31))
institutions = st.integers(1, 99_999_999).map(lambda n: f"{n:08d}")
traces = st.from_regex(r"\A[0-9]{15}\Z")
routing_numbers = institutions.map(lambda text: f"{text}{check_digit(text)}")


def texts(most: int, least: int = 0) -> st.SearchStrategy[str]:
    return st.text(printable, min_size=least, max_size=most).map(lambda t: t.rstrip(" ")).filter(
        lambda t: len(t.strip()) >= least
    )  # fmt: skip


headers = st.builds(
    FileHeader,
    destination=routing_numbers,
    origin=st.one_of(routing_numbers, st.from_regex(r"\A[1-9A-Z][0-9]{9}\Z")),
    created_on=days,
    created_at=st.one_of(st.just(""), st.times().map(lambda t: f"{t:%H%M}")),
    id_modifier=st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
    destination_name=texts(23),
    origin_name=texts(23),
    reference=texts(8),
)


@st.composite
def corrections(draw: st.DrawFn) -> ChangeAddendum:
    code = draw(st.sampled_from(sorted(CHANGE_REASONS)))
    refusal, sequence = draw(st.sampled_from([None, *REFUSALS])), draw(st.from_regex(r"\A[0-9]{7}\Z"))
    account = st.text(st.sampled_from("0123456789"), min_size=1, max_size=17)
    given = Correction(draw(routing_numbers), draw(account), draw(st.sampled_from([22, 32, 27])), "A. SAMPLE", "ID-9")
    said = (draw(traces), draw(institutions), corrected_data(code, given))
    return ChangeAddendum(code, *said) if refusal is None else ChangeAddendum(refusal, *said, code, sequence)


@st.composite
def disputes(draw: st.DrawFn, code: str) -> Dispute:
    day = st.sampled_from(["", "001", "366"])
    reason = st.sampled_from(sorted(RETURN_REASONS)).map(lambda text: text[1:])
    about = (draw(traces), draw(reason), draw(day))
    if code in DISHONORED:
        return Dispute(*about)
    returned = draw(st.one_of(st.just(""), days.map(day_text)))
    return Dispute(*about, returned, draw(day), draw(traces), draw(reason), draw(day))


@st.composite
def returns(draw: st.DrawFn) -> ReturnAddendum:
    code = draw(st.sampled_from(sorted(RETURN_REASONS)))
    died = draw(days.map(day_text)) if code in DEATH and draw(st.booleans()) else ""
    said = (code, draw(traces), draw(institutions))
    if code not in DISHONORED | CONTESTED:
        return ReturnAddendum(*said, draw(texts(44)), died)
    information = draw(texts(21)) if code in DISHONORED else ""
    return ReturnAddendum(*said, information, dispute=draw(disputes(code)))


@st.composite
def entries(draw: st.DrawFn, entry_class: str, service_class: int, comes_back: bool) -> Entry:
    tens = draw(st.sampled_from([20, 30, 40]))
    credit = service_class == 220 or (service_class == 200 and draw(st.booleans()))
    side = 0 if credit else 5
    amount = draw(st.one_of(st.integers(1, 999), st.integers(1, 9_999_999_999)))
    most = {"CTX": 6, "ATX": 3}.get(entry_class, 1)
    addenda: tuple = draw(st.lists(texts(80), max_size=most).map(tuple))
    if entry_class == "COR":
        code, amount, addenda = tens + 1 + side, 0, (draw(corrections()),)
    elif comes_back:
        code, addenda = tens + 1 + side, (draw(returns()),)
        amount = draw(st.sampled_from([0, amount]))
    elif entry_class in {"ACK", "ATX"}:
        code, amount = draw(st.sampled_from([24, 34])), 0
    elif draw(st.integers(0, 4)) == 0:
        code, amount = tens + 3 + side, 0
    elif addenda and entry_class in {"CCD", "CTX"} and draw(st.integers(0, 4)) == 0:
        code, amount = tens + 4 + side, 0
    else:
        code = tens + 2 + side
    named = 16 if entry_class in {"CTX", "ATX"} else 22
    return Entry(
        code,
        draw(routing_numbers),
        draw(texts(17, 1)),
        amount,
        draw(texts(named, 1)),
        draw(texts(15)),
        addenda,
        draw(texts(2)),
    )


@st.composite
def batches(draw: st.DrawFn, number: int) -> tuple[BatchHeader, list[Entry]]:
    entry_class = draw(st.sampled_from(["CCD", "CCD", "CTX", "CTX", "PPD", "COR", "ACK", "ATX"]))
    comes_back = entry_class in {"CCD", "CTX", "PPD"} and draw(st.integers(0, 3)) == 0
    only_credits = entry_class in {"ACK", "ATX"}
    service_class = 220 if only_credits else draw(st.sampled_from([200, 220, 225]))
    header = BatchHeader(
        service_class=ServiceClass(service_class),
        company_name=draw(texts(16, 1)),
        company_id=f"1{draw(st.integers(0, 999_999_999)):09d}",
        entry_class=entry_class,
        description=draw(texts(10, 1).filter(lambda t: t.strip().upper() != "REVERSAL")),
        effective=day_text(draw(days)),
        odfi=draw(institutions),
        number=number,
        discretionary=draw(texts(20)),
        descriptive_date=draw(texts(6)),
        settlement_day=draw(st.sampled_from(["", "001", "366"])),
        originator_status=draw(st.sampled_from("12")),
    )
    return header, draw(st.lists(entries(entry_class, service_class, comes_back), min_size=1, max_size=4))


@st.composite
def files(draw: st.DrawFn) -> tuple[FileHeader, list[tuple[BatchHeader, list[Entry]]]]:
    numbers = sorted(draw(st.sets(st.integers(1, 9_999_999), min_size=1, max_size=3)))
    return draw(headers), [draw(batches(number)) for number in numbers]


def judged(content: bytes, size: int = 0) -> tuple[list, Verdict]:
    """What was found and the verdict; `size` cuts the content into chunks."""
    step = size or len(content) or 1
    reader = FileReader(content[at : at + step] for at in range(0, len(content), step))
    found = list(reader)
    return found, reader.verdict


def regrouped(found: list) -> list[tuple[BatchHeader, list[Entry]]]:
    grouped: dict[int, tuple[BatchHeader, list[Entry]]] = {}
    for one in found:
        grouped.setdefault(one.batch.number, (one.batch, []))[1].append(one.entry)
    return list(grouped.values())
