"""The object around every JSON answer (interface.md, "JSON")."""

from __future__ import annotations

import json
from collections.abc import Mapping

from calitop import __version__

SCHEMA = 1


def envelope(body: Mapping[str, object]) -> dict[str, object]:
    """The answer with the version of what wrote it in front."""
    return {"calitop": {"schema": SCHEMA, "version": __version__}, **body}


def json_text(body: Mapping[str, object]) -> str:
    """An answer as JSON text, in ASCII: bytes that are not UTF-8 stand as `\\udcXX`."""
    return json.dumps(envelope(body), indent=1, ensure_ascii=True)
