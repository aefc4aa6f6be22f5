"""A data folder of one test, gone afterwards."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cairn.stack.layout import Home


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Callable[[str], Home]]:
    """`new_home("one")`: a data folder that does not exist yet."""
    made: list[Home] = []

    def make(name: str = "home") -> Home:
        made.append(Home(tmp_path / name))
        return made[-1]

    yield make
    for home in made:
        home.erase()


@pytest.fixture
def home(new_home: Callable[[str], Home]) -> Home:
    return new_home("home")
