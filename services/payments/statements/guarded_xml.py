"""XML from outside, with nothing in it that expands, refers elsewhere or grows beyond its bounds.

Document types and entities are refused before parsing, and once more by the parser; only UTF-8 is read, because the
first look would not see a document type in another encoding.
"""

import re
from xml.etree import ElementTree as ET

ELEMENTS_MAX = 1_500_000
DEPTH_MAX = 40
_ENCODING = re.compile(rb"""^<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")


class XmlRefused(ValueError):
    """The document is not read: `reason` is stable."""

    def __init__(self, reason: str, explanation: str) -> None:
        super().__init__(explanation)
        self.reason, self.explanation = reason, explanation


class _Bounded(ET.TreeBuilder):
    """Builds elements under their local names; an element of another namespace than the root's keeps its own."""

    def __init__(self) -> None:
        super().__init__()
        self._elements = self._depth = 0
        self.namespace: str | None = None

    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        self._elements += 1
        self._depth += 1
        if self._elements > ELEMENTS_MAX or self._depth > DEPTH_MAX:
            raise XmlRefused("too_large", f"more than {ELEMENTS_MAX} elements or {DEPTH_MAX} levels")
        if self.namespace is None:
            self.namespace = tag[1:].partition("}")[0] if tag.startswith("{") else ""
        return super().start(self._local(tag), attrs)

    def end(self, tag: str, /) -> ET.Element:
        self._depth -= 1
        return super().end(self._local(tag))

    def doctype(self, name: str, pubid: str | None, system: str | None, /) -> None:
        raise XmlRefused("document_type", "a document type is not read")

    def _local(self, tag: str) -> str:
        return tag.removeprefix(f"{{{self.namespace}}}")


def parse_guarded(content: bytes, bytes_max: int) -> tuple[str, ET.Element]:
    """The root's namespace and the root, tags without the namespace. `XmlRefused` says why not."""
    if len(content) > bytes_max:
        raise XmlRefused("too_large", f"more than {bytes_max} bytes")
    declared = _ENCODING.match(content.removeprefix(b"\xef\xbb\xbf").lstrip())
    if b"\x00" in content or (declared and declared.group(1).upper() not in {b"UTF-8", b"US-ASCII"}):
        raise XmlRefused("encoding", "only UTF-8 is read")
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise XmlRefused("document_type", "a document type or entity is not read")
    builder = _Bounded()
    try:
        root = ET.fromstring(content, parser=ET.XMLParser(target=builder))  # noqa: S314 - guarded above
    except ET.ParseError as error:
        raise XmlRefused("not_well_formed", str(error)) from error
    return builder.namespace or "", root
