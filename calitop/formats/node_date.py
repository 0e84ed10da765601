"""`date`: when a snapshot was taken; in UTC where the zone is told as one.

Names of other zones are ambiguous (`CST`), so such a time stays unknown.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from calitop.formats.fragment import Fragment
from calitop.formats.reading import Problems, numbered

KIND = "date"

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = "(?P<month>" + "|".join(_MONTHS) + r")[a-z]*\.?"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,](?P<part>\d+))?(?:\s?(?P<half>AM|PM))?"
_ZONE = r"(?P<zone>Z|[A-Z]{2,5}|[-+]\d\d(?::?\d\d)?)"
_YEAR = r"(?P<year>\d{4})"
_DAY = r"(?P<day>\d{1,2})"
_WEEKDAY = r"[A-Za-z]{2,3}\w*\.?,?"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE | re.ASCII)
    for form in (
        rf"{_WEEKDAY}\s+{_MONTH}\s+{_DAY}\s+{_CLOCK}\s+{_ZONE}\s+{_YEAR}",
        rf"{_WEEKDAY}\s+{_DAY}\s+{_MONTH}\s+{_YEAR}\s+{_CLOCK}\s+{_ZONE}",
        rf"{_WEEKDAY}\s+{_DAY}\s+{_MONTH}\s+{_CLOCK}\s+{_ZONE}\s+{_YEAR}",
        rf"{_YEAR}-(?P<number>\d\d)-{_DAY}[T ]{_CLOCK}\s?{_ZONE}",
    )
)
_UTC = ("Z", "UTC", "GMT", "UCT")


def looks_like(text: str) -> bool:
    """Whether the text is the one line of `date`."""
    line = text.strip()
    return len(line) < 100 and any(form.fullmatch(line) for form in _FORMS)


def parse(text: str) -> Fragment:
    """The time, as `2026-11-23T11:29:21Z`."""
    problems = Problems()
    found = None
    for number, line in numbered(text):
        moment = _moment(line.strip()) if found is None else "is a second time"
        if isinstance(moment, datetime):
            found = moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        else:
            problems.add(number, line.strip(), moment)
    return Fragment(problems.all(), captured_at=found, richness=6)


def _moment(line: str) -> datetime | str:
    """The moment that a line tells, or why it tells none."""
    match = next((match for form in _FORMS if (match := form.fullmatch(line))), None)
    if match is None:
        return "is not a date with a time and a zone"
    zone = _zone(match["zone"])
    if zone is None:
        return f"zone '{match['zone']}' is ambiguous; the time is not known in UTC"
    part = match.groupdict()
    hour = int(part["hour"])
    if part["half"]:
        hour = hour % 12 + (12 if part["half"].upper() == "PM" else 0)
    month = int(part["number"]) if part.get("number") else _MONTHS.index(part["month"].lower()) + 1
    try:
        moment = datetime(
            int(part["year"]), month, int(part["day"]), hour, int(part["minute"]), int(part["second"]) % 60
        )
        return (moment - zone).replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        return "is not a time"


def _zone(word: str) -> timedelta | None:
    """How far a zone is ahead of UTC."""
    if word.upper() in _UTC:
        return timedelta()
    if word[0] not in "+-":
        return None
    digits = word[1:].replace(":", "")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return ahead if word[0] == "+" else -ahead
