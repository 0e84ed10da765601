"""Objects out of JSON, also where the JSON is cut or not quite JSON.

Old iproute2 printed plain words between its braces, and a paste loses its end: what can be
read is read, the rest is a problem. It knows no format.
"""

from __future__ import annotations

import json
import re
from typing import TypeAlias

from calitop.formats.reading import HEAD, Problems

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"

_BETWEEN = re.compile(r"[\s,\[\]]*")
_NEXT_OBJECT = re.compile(r'\}\s*,?\s*\{|\n\s*\{|,\s*\{(?=\s*")')
_SHOWN = 200


def head_of_json(text: str) -> str:
    """The beginning of a JSON text without its empty leading elements; "" for a text that is not JSON."""
    head = text[:HEAD].lstrip("\ufeff \t\r\n")
    return re.sub(r"^\[(\s*\{\s*\}\s*,)*", "[", head) if head.startswith(("[", "{")) else ""


def has_key(head: str, *names: str) -> bool:
    """Whether each of the names stands as a key in the head of a JSON text."""
    return all(re.search(rf'"{re.escape(name)}"\s*:', head) for name in names)


def read_objects(text: str, problems: Problems, first_wins: bool = False) -> list[JsonObject]:
    """The objects of a list (or of several lists, or lines of objects), without empty ones.

    Args:
        text: What the program printed.
        problems: Takes what could not be read.
        first_wins: Of a key that stands twice in an object the first value is kept. iproute2
            prints the outer addresses of an encapsulation under the names of the route's own.

    Returns:
        The objects in order.
    """
    decoder = json.JSONDecoder(object_pairs_hook=_first_wins if first_wins else None)
    try:
        whole = decoder.decode(text.lstrip("\ufeff")) if text.strip() else []
    except (ValueError, RecursionError):
        return _salvage(text, decoder, problems)
    elements = whole if isinstance(whole, list) else [whole]
    return [element for element in elements if _is_object(element, problems)]


def integer(value: Json) -> int | None:
    """The value where it is a whole number, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def string(value: Json) -> str | None:
    """The value where it is a string, else None."""
    return value if isinstance(value, str) and value else None


def mapping(value: Json) -> JsonObject:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Json) -> list[JsonObject]:
    """The objects of a list, else none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def strings(value: Json) -> tuple[str, ...]:
    """The strings of a list, else none."""
    return tuple([item for item in value if isinstance(item, str)]) if isinstance(value, list) else ()


def spelled(value: Json) -> str:
    """A JSON value as a word: booleans as `true` and `false`, structures as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _first_wins(pairs: list[tuple[str, Json]]) -> JsonObject:
    return dict(reversed(pairs))


def _is_object(element: Json, problems: Problems) -> bool:
    if isinstance(element, dict):
        return bool(element)
    problems.add(None, spelled(element)[:_SHOWN], "is not a JSON object")
    return False


def _salvage(text: str, decoder: json.JSONDecoder, problems: Problems) -> list[JsonObject]:
    found: list[JsonObject] = []
    at = 1 if text.startswith("\ufeff") else 0
    while (at := _end(_BETWEEN.match(text, at), at)) < len(text):
        try:
            element, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at = _skip(text, at, problems)
            continue
        if _is_object(element, problems):
            found.append(element)
    return found


def _end(match: re.Match[str] | None, otherwise: int) -> int:
    return match.end() if match else otherwise


def _skip(text: str, at: int, problems: Problems) -> int:
    """Leave out what cannot be read, up to the next place where an object may begin."""
    following = _NEXT_OBJECT.search(text, at + 1)
    end = following.end() - 1 if following else len(text)
    line = text.count("\n", 0, at) + 1
    why = "is not JSON; the next whole object is read" if following else "the JSON ends or breaks here"
    problems.add(line, text[at:end].strip()[:_SHOWN], why)
    return end
