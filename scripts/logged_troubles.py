"""What containers complained of: their JSON lines of level warning and above, counted."""

import json
from collections import Counter

_GRAVE = {"warning", "error", "critical"}


def logged_troubles(logs: str) -> str:
    """A line for each kind, most frequent first: how often, which container, its event and code."""
    counted: Counter[str] = Counter()
    for line in logs.splitlines():
        container, _, said = line.partition("|")
        record = _record(said)
        if str(record.get("level")) in _GRAVE:
            counted[f"{container.strip()} {record.get('event')} {record.get('code') or ''}".rstrip()] += 1
    return "\n".join(f"{number:6} x {kind}" for kind, number in counted.most_common())


def _record(said: str) -> dict[str, object]:
    try:
        record = json.loads(said)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
