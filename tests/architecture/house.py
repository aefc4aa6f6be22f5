"""The rules of the house that a parser can see. Each check returns the faults of a tree, with what to do instead."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

PARTS = ("contracts", "kit", "services", "workflows", "cairn")
SERVICES = ("applications", "eligibility", "payments", "notifications")
DOORS = ("api", "pages", "subscribers", "activities", "desk")
DOOR_LIBRARIES = {
    "fastapi": {"api", "pages", "main"},
    "starlette": {"api", "pages", "main"},
    "kit.inbox": {"subscribers", "usecases", "main"},
    "kit.kafka": {"subscribers", "main"},
    "faststream": {"subscribers", "main"},
    "aiokafka": {"subscribers", "main"},
    "kit.temporal": {"activities", "gateways", "main"},
    "temporalio": {"activities", "gateways", "main"},
    "typer": set[str](),
}
"""What a door is made of → the rooms of a service that may import it. Commands belong to `cairn`."""
LINES_MAX = 450
FUNCTION_LINES_MAX = 70
KIT_LINES_MAX = 5050
KIT_MODULES_MAX = 28
CHASSIS = {"migrate", "webhooks"}
"""What the chassis holds although one part uses it so far: schema and signature rules are nobody's own."""
REFUSED_NAMES = {"utils", "util", "common", "core", "shared", "helpers", "helper", "manager", "misc", "base_utils"}
PROGRAM_WORDS = re.compile(
    r"\b(applicant|enrollment|eligibility|college|exam|voucher|tuition|appropriation|encumbrance|determination|journey"
    r"|micro-?credential|reimbursement)s?\b",
    re.IGNORECASE,
)
TRANSACTION = re.compile(r"\.transaction\(")
SQL = re.compile(r"^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s", re.MULTILINE)


def modules(root: Path, *parts: str) -> Iterator[Path]:
    """Every Python module of these parts of the tree."""
    for part in parts or PARTS:
        yield from sorted(p for p in (root / part).rglob("*.py") if "__pycache__" not in p.parts)


def sizes(root: Path) -> list[str]:
    """No module over the limit, no function a screen cannot hold."""
    faults: list[str] = []
    for path in modules(root, *PARTS, "tests", "examples"):
        text = path.read_text()
        if (count := text.count("\n")) > LINES_MAX:
            faults.append(f"{path.relative_to(root)} has {count} lines: make it a folder of the same name")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = _own_lines(node)
                if length > FUNCTION_LINES_MAX:
                    faults.append(f"{path.relative_to(root)}: {node.name} has {length} lines: name its parts")
    return faults


def _own_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """A function without the functions it holds: a router is a list of doors, not one long function."""
    own = (function.end_lineno or function.lineno) - function.lineno + 1
    inner = [n for n in function.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return own - sum((n.end_lineno or n.lineno) - n.lineno + 1 for n in inner)


def names(root: Path) -> list[str]:
    """No module whose name refuses nothing."""
    return [
        f"{path.relative_to(root)}: the name {part} refuses nothing: name what it holds"
        for path in modules(root)
        for part in (*path.relative_to(root).parts[:-1], path.stem)
        if part in REFUSED_NAMES
    ]


def docstrings(root: Path) -> list[str]:
    """Every module says what it is for."""
    return [
        f"{path.relative_to(root)} does not say what it is for: begin it with a docstring of one to five lines"
        for path in modules(root)
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]


def rooms(root: Path) -> list[str]:
    """The same rooms in each service: `domain store usecases settings main migrations` are there under these names."""
    faults: list[str] = []
    for service in SERVICES:
        base = root / "services" / service
        for room in ("domain", "store", "usecases", "settings", "main"):
            if not (base / f"{room}.py").exists() and not (base / room / "__init__.py").exists():
                faults.append(f"services/{service} has no {room}")
        if not list((base / "migrations").glob("*.sql")):
            faults.append(f"services/{service}/migrations holds no migration")
    return faults


def doors(root: Path) -> list[str]:
    """A door stands in a room that is known as one: under another name no rule about doors would hold for it."""
    faults: list[str] = []
    contract = (root / ".importlinter").read_text().partition("[importlinter:contract:doors]")[2].split()
    for service in SERVICES:
        base = root / "services" / service
        faults += [
            f"services/{service} has {room}: name services.{service}.{room} in the contract of doors in .importlinter"
            for room in DOORS
            if ((base / f"{room}.py").exists() or (base / room).exists())
            and f"services.{service}.{room}" not in contract
        ]
        for path in modules(root, f"services/{service}"):
            room = path.relative_to(base).parts[0].removesuffix(".py")
            faults += [
                f"{path.relative_to(root)} imports {library}: that makes it a door, and doors are called {rooms_of}"
                for library, rooms_of in ((found, _names(DOOR_LIBRARIES[found])) for found in _door_libraries(path))
                if room not in DOOR_LIBRARIES[library]
            ]
    return faults


def _names(rooms_of: set[str]) -> str:
    return ", ".join(sorted(rooms_of)) or "commands of cairn"


def _door_libraries(path: Path) -> set[str]:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {
        library for library in DOOR_LIBRARIES for name in imported if name == library or name.startswith(f"{library}.")
    }


def transactions(root: Path) -> list[str]:
    """A service's transaction is opened in its use cases, and nowhere else."""
    faults: list[str] = []
    for path in modules(root, "services"):
        parts = path.relative_to(root).parts
        room = parts[2].removesuffix(".py") if len(parts) > 2 else ""
        if room not in {"usecases"} and TRANSACTION.search(path.read_text()):
            faults.append(f"{path.relative_to(root)} opens a transaction: that is a use case's work")
    return faults


def statements(root: Path) -> list[str]:
    """A service's SQL stands in its store."""
    faults: list[str] = []
    for path in modules(root, "services"):
        parts = path.relative_to(root).parts
        if len(parts) < 3 or parts[2].removesuffix(".py") == "store":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value):
                faults.append(f"{path.relative_to(root)}:{node.lineno} holds SQL: move it to store")
    return faults


def kit_admission(root: Path) -> list[str]:
    """kit admits a module that two parts use, that has no word of the program in it and has its own test."""
    faults: list[str] = []
    kit = [p for p in modules(root, "kit") if p.stem != "__init__"]
    total = sum(p.read_text().count("\n") for p in kit)
    if total > KIT_LINES_MAX:
        faults.append(f"kit has {total} lines (limit {KIT_LINES_MAX}): what belongs to one service goes there")
    if len(kit) > KIT_MODULES_MAX:
        faults.append(f"kit has {len(kit)} modules (limit {KIT_MODULES_MAX})")
    outside = {p: p.read_text() for p in modules(root, "services", "workflows", "cairn")}
    inside = {p: p.read_text() for p in kit}
    tests = "\n".join(p.read_text() for p in modules(root, "tests/kit"))
    for path in kit:
        word = PROGRAM_WORDS.search(path.read_text())
        if word:
            faults.append(f"kit/{path.name} speaks of the program ({word.group()}): kit knows none of its words")
        mention = re.compile(rf"kit\.{path.stem}\b|from kit import [^\n]*\b{path.stem}\b")
        if not mention.search(tests):
            faults.append(f"kit/{path.name} has no test of its own under tests/kit")
        users = {
            "/".join(p.relative_to(root).parts[:2])
            if p.is_relative_to(root / "services")
            else p.relative_to(root).parts[0]
            for p, text in outside.items()
            if mention.search(text)
        } | {"kit" for p, text in inside.items() if p != path and mention.search(text)}
        if len(users) < 2 and "kit" not in users and path.stem not in CHASSIS:
            faults.append(f"kit/{path.name} is used by {sorted(users) or 'nobody'}: kit serves two parts or more")
    return faults


def typed_ignores(root: Path) -> list[str]:
    """Nothing is promised for later and nothing about how the code came to be stands in it."""
    banned = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")
    return [
        f"{path.relative_to(root)}:{number} promises work: do it, or say plainly what is not there"
        for path in modules(root)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if banned.search(line)
    ]


CHECKS: tuple[Callable[[Path], list[str]], ...] = (
    sizes,
    names,
    docstrings,
    rooms,
    doors,
    transactions,
    statements,
    kit_admission,
    typed_ignores,
)
