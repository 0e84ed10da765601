"""The members of one ipset, as text and as JSON: what `calitop show --set` prints."""

from __future__ import annotations

from calitop.explain.set_words import SetWords, use_words
from calitop.report.check import ref_words
from calitop.report.text import plural, printable
from calitop.set_members import SetMembers


def set_json(members: SetMembers, words: SetWords, element: str | None) -> dict[str, object]:
    """The set under `set`, each member with whom it belongs to; what was asked under `asked`."""
    ipset = members.ipset
    listed = [
        {"member": member, "belongs_to": members.who(place)} for place, member in enumerate(members.members)
    ]
    told: dict[str, object] = {
        "name": ipset.name,
        "type": ipset.type,
        "options": dict(ipset.options),
        "holds": words.purpose or None,
        "policies": list(words.policies),
        "used_by": [
            {"rule": ref_words((use.ref.key, use.ref.index)), "words": use.words} for use in words.uses
        ],
        "users": words.users,
        "members": listed,
    }
    if element is None:
        return {"set": told}
    answer = members.ask(element)
    return {
        "set": told,
        "asked": {
            "element": element,
            "in": answer.is_in if answer else None,
            "partly": answer is not None and answer.answer == "partly",
            "member": answer.member if answer else None,
            "because": answer.words if answer else _no_element(element, ipset.type),
        },
    }


def set_text(members: SetMembers, words: SetWords, element: str | None) -> str:
    """The answer to what was asked, or else what it is for, who asks it, and every member in a line."""
    ipset = members.ipset
    if element is not None:
        answer = members.ask(element)
        return printable(answer.words if answer else _no_element(element, ipset.type)) + "\n"
    lines = [f"set {ipset.name}  {ipset.type}  {plural(len(members.members), 'member')}"]
    lines += (
        f"  {line}" for line in (*words.lines(), f"{use_words(words)}:" if words.users else use_words(words))
    )
    lines += (f"    {ref_words((use.ref.key, use.ref.index))}  {use.words}" for use in words.uses)
    lines += ["  members:"] if members.members else []
    for place, member in enumerate(members.members):
        owner = members.who(place)
        lines.append(f"    {member}" + (f"  {owner}" if owner else ""))
    return "\n".join(map(printable, lines)) + "\n"


def _no_element(element: str, kind: str) -> str:
    return f"'{element}' is nothing that a set of type {kind} could hold"
