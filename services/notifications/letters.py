"""Letters: the templates of a program's notices, rendered in the person's language as plain text and HTML.

A template is written once per language, as text; the HTML part is made from the same text, so the two never differ.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import mrml
from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency

from contracts.errors import Refused

LANGUAGES = ("en", "es")
LOCALES: Mapping[str, str] = {"en": "en_US", "es": "es_US"}
CURRENCY = "USD"
SUFFIX = ".txt"

_LINK = re.compile(r"https?://[^\s<>]+[^\s<>.,;:)]")


class TemplateMissing(Refused):
    """There is no notice template {template} in {language} for the program {program_id}."""

    code = "notice_template_missing"


@dataclass(frozen=True, slots=True)
class Sender:
    """Who the program's letters come from, and the time zone its dates are told in."""

    name: str
    address: str
    time_zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Letter:
    """A rendered notice."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class _Shelf:
    sender: Sender
    mjml: str
    shelves: Mapping[str, jinja2.Environment]

    def templates(self, language: str) -> set[str]:
        return {
            name.removesuffix(SUFFIX)
            for name in self.shelves[language].list_templates(extensions=[SUFFIX.lstrip(".")])
            if not name.startswith("_")
        }


class Letters:
    """The notices of every program that has some; a program without its own uses those of `default_program`."""

    def __init__(self, programs: Mapping[str, _Shelf], default_program: str) -> None:
        self._programs = programs
        self._default = default_program

    @classmethod
    def load(cls, programs_dir: Path, *, default_program: str) -> "Letters":
        """Read every `<program>/notices` folder; templates are compiled when first used."""
        programs = {folder.parent.name: _shelf(folder) for folder in sorted(programs_dir.glob("*/notices"))}
        if default_program not in programs:
            raise FileNotFoundError(f"{default_program}/notices is not in the programs folder")
        return cls(programs, default_program)

    def sender(self, program_id: str) -> Sender:
        return self._of(program_id).sender

    def templates(self, program_id: str, language: str) -> set[str]:
        """The template codes of one program in one language."""
        return self._of(program_id).templates(language)

    def write(
        self, program_id: str, template: str, language: str, particulars: Mapping[str, Any], *, given_name: str
    ) -> Letter:
        """Render one notice. A particular that the template names and nobody gave is an error, never a blank."""
        shelf = self._of(program_id)
        try:
            page = shelf.shelves[language].get_template(template + SUFFIX)
        except (jinja2.TemplateNotFound, KeyError) as error:
            raise TemplateMissing(template=template, language=language, program_id=program_id) from error
        values = {**particulars, "given_name": given_name, "sender_name": shelf.sender.name}
        subject = " ".join("".join(page.blocks["subject"](page.new_context(values))).split())
        text = re.sub(r"\n{3,}", "\n\n", page.render(values)).strip() + "\n"
        return Letter(subject=subject, text=text, html=_html(shelf.mjml, subject, text, language))

    def _of(self, program_id: str) -> _Shelf:
        return self._programs.get(program_id) or self._programs[self._default]


def _shelf(folder: Path) -> _Shelf:
    settings = tomllib.loads((folder / "notices.toml").read_text())
    zone = ZoneInfo(settings["time_zone"])
    sender = Sender(name=settings["sender_name"], address=settings["sender_address"], time_zone=zone)
    shelves = {language: _environment(folder / language, language, zone) for language in LANGUAGES}
    return _Shelf(sender=sender, mjml=(folder / "layout.mjml").read_text(), shelves=shelves)


def _environment(folder: Path, language: str, zone: ZoneInfo) -> jinja2.Environment:
    locale = Locale.parse(LOCALES[language])
    words: dict[str, dict[str, str]] = tomllib.loads((folder / "words.toml").read_text())
    # Plain text: the whole is escaped once, when the HTML part is made from it.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def money(cents: int) -> str:
        return format_currency(Decimal(cents) / 100, CURRENCY, locale=locale)

    def moment(instant: str) -> str:
        at = datetime.fromisoformat(instant).astimezone(zone)
        return format_datetime(at, _MOMENT[language], tzinfo=zone, locale=locale)

    def day(iso: str) -> str:
        return format_date(date.fromisoformat(iso), "long", locale=locale)

    def said(code: str, about: str) -> str | None:
        return words[about].get(code)

    environment.filters.update(money=money, moment=moment, day=day, said=said)
    return environment


_MOMENT: Mapping[str, str] = {
    "en": "MMMM d, y 'at' h:mm a zzz",
    "es": "d 'de' MMMM 'de' y 'a las' H:mm zzz",
}


def _html(mjml: str, subject: str, text: str, language: str) -> str:
    filled = (
        mjml.replace("{{language}}", language)
        .replace("{{subject}}", escape(subject))
        .replace("{{letter}}", "\n".join(_block(block) for block in text.strip().split("\n\n")))
    )
    return mrml.to_html(filled).content


def _block(block: str) -> str:
    lines = block.split("\n")
    if all(line.startswith(("- ", "  ")) for line in lines):
        items = "".join(f"<li>{_linked(item)}</li>" for item in "\n".join(lines).removeprefix("- ").split("\n- "))
        return f"<ul>{items}</ul>"
    return f"<p>{'<br />'.join(_linked(line) for line in lines)}</p>"


def _linked(text: str) -> str:
    parts: list[str] = []
    end = 0
    for found in _LINK.finditer(text):
        url = escape(found.group())
        parts += [escape(text[end : found.start()]), f'<a href="{url}">{url}</a>']
        end = found.end()
    return "".join([*parts, escape(text[end:])])
