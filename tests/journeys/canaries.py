"""The personal values of the demo's people and its exam codes, as they would look where they must not be."""

import re

CANARIES = {
    "given name": re.compile(rb"thistlewyn", re.IGNORECASE),
    "family name": re.compile(rb"quillfeather", re.IGNORECASE),
    "e-mail": re.compile(rb"@learners\.example", re.IGNORECASE),
    "SSN": re.compile(rb"(?<![0-9a-f])219-?09-?00[0-9]{2}(?![0-9a-f])"),
    "birth date": re.compile(rb"(?<![0-9a-f])1987-?03-?(0[1-9]|[12][0-9]|3[01])(?![0-9a-f])"),
    "exam code": re.compile(rb"XVC-[0-9A-F]{16}"),
}
OF_A_PERSON = set(CANARIES) - {"exam code"}


def found_in(content: bytes) -> set[str]:
    """The kinds of canary in these bytes."""
    return {kind for kind, form in CANARIES.items() if form.search(content)}
