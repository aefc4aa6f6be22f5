"""A result in parts that share no payment, so that each can be posted in a transaction of its own."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from services.payments.reconciling.effects import Evidence
from services.payments.reconciling.items import LineVerdict


def in_parts(
    lines: Sequence[LineVerdict], found: Iterable[Evidence], size: int
) -> list[tuple[list[LineVerdict], list[Evidence]]]:
    """The lines in their order, with their evidence, in parts of about `size` lines and pieces of evidence together.

    Lines that speak of one payment stand in one part, and so do the payments of one line: a part may be longer for it.
    """
    evidence: defaultdict[str, list[Evidence]] = defaultdict(list)
    lines_of: defaultdict[str, list[str]] = defaultdict(list)
    for one in found:
        evidence[one.line.line_id].append(one)
        lines_of[one.disbursement_id].append(one.line.line_id)
    verdicts = {line.line.line_id: line for line in lines}
    parts: list[tuple[list[LineVerdict], list[Evidence]]] = []
    done: set[str] = set()
    for line_id in verdicts:
        if line_id in done:
            continue
        if not parts or len(parts[-1][0]) + len(parts[-1][1]) >= size:
            parts.append(([], []))
        together = [line_id]
        done.add(line_id)
        # Grows while it is walked: what the lines found so far have in common with others.
        for each in together:
            parts[-1][0].append(verdicts[each])
            parts[-1][1].extend(evidence[each])
            for payment in evidence[each]:
                more = [other for other in lines_of.pop(payment.disbursement_id, ()) if other not in done]
                together += more
                done.update(more)
    return parts
