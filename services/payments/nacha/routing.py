# pyright: strict
"""ABA routing numbers (four digits of the Federal Reserve, four of the institution, one check digit), and accounts."""

import re

_WEIGHTS = (3, 7, 1, 3, 7, 1, 3, 7)
_NINE = re.compile(r"[0-9]{9}")


def check_digit(institution: str) -> int:
    """The ninth digit that belongs to the first eight: weights 3 7 1, up to the next multiple of ten."""
    return -sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, institution[:8], strict=True)) % 10


def is_routing_number(text: str) -> bool:
    """Nine digits whose last is the check digit of the others; all zeros is nobody's number."""
    return _NINE.fullmatch(text) is not None and text != "000000000" and check_digit(text) == int(text[8])


def names_an_account(number: str) -> bool:
    """More stands there than zeros, blanks and hyphens, which fill the column where nobody knew the number."""
    return bool(number.strip("0 -"))
