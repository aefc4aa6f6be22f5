"""How a derived pack stands on the one it extends: overrides by key, new entries by id, rounds `like` another."""

from typing import Any, TypeAlias

from services.eligibility.pack_checks import Fault

EXTENDS_DEPTH_MAX = 4

Documents: TypeAlias = dict[str, dict[str, Any]]
Table: TypeAlias = dict[str, Any]


def derive(parent: Documents, child: Documents, faults: list[Fault]) -> Documents:
    """The parent's documents with the child's laid over them.

    In `program.toml` tables merge and anything else replaces. In the other files an entry with the id of a parent's
    entry overrides it key by key; other entries are added. `keep` in `rounds.toml` names the rounds that stay in force.
    """
    derived = {file: dict(document) for file, document in parent.items()}
    for file, document in child.items():
        if file == "program.toml":
            derived[file] = _merge(derived.get(file, {}), document)
            continue
        for key, entries in document.items():
            mine = derived.setdefault(file, {})
            if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
                mine[key] = _overlay(mine.get(key, []), entries)
            else:
                mine[key] = entries
    _take_after(derived, faults)
    _keep_rounds(derived, faults)
    return derived


def _merge(below: Table, above: Table) -> Table:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _identity(entry: Table) -> object:
    if "round_id" in entry:
        return (entry["round_id"], entry.get("provider_id"))
    return entry.get("id", entry.get("year"))


def _overlay(below: list[Table], above: list[Table]) -> list[Table]:
    entries = [dict(entry) for entry in below]
    places = {_identity(entry): place for place, entry in enumerate(entries)}
    for entry in above:
        place = places.get(_identity(entry))
        if place is None:
            entries.append(dict(entry))
        else:
            entries[place] = entries[place] | entry
    return entries


def _take_after(documents: Documents, faults: list[Fault]) -> None:
    """`like = "r6"`: the round begins as a copy of that one."""
    rounds: list[Table] = documents.get("rounds.toml", {}).get("rounds", [])
    by_id = {entry.get("id"): entry for entry in rounds}
    for place, entry in enumerate(rounds):
        model = entry.pop("like", None)
        if model is None:
            continue
        if model not in by_id or model == entry.get("id"):
            faults.append(Fault("rounds.toml", f"rounds[{entry.get('id')}].like", f"there is no other round {model}"))
            continue
        rounds[place] = {key: value for key, value in by_id[model].items() if key != "like"} | entry


def _keep_rounds(documents: Documents, faults: list[Fault]) -> None:
    keep = documents.get("rounds.toml", {}).pop("keep", None)
    if keep is None:
        return
    rounds: list[Table] = documents["rounds.toml"].get("rounds", [])
    known = {entry.get("id") for entry in rounds}
    faults += [Fault("rounds.toml", "keep", f"there is no round {name}") for name in keep if name not in known]
    documents["rounds.toml"]["rounds"] = [entry for entry in rounds if entry.get("id") in keep]
    # A dropped round's awards would otherwise name a round that is no longer there.
    dropped = known - set(keep)
    providers = documents.get("providers.toml", {})
    providers["awards"] = [entry for entry in providers.get("awards", []) if entry.get("round_id") not in dropped]
