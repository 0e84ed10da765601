"""What the words of a command line stand for; a word that makes no sense is an ArgumentTypeError."""

from __future__ import annotations

import argparse

from calitop.budget import LONGEST_S, SHORTEST_S
from calitop.path.bits import Bits, parse_mark


def seconds(word: str) -> float:
    """Seconds between polls."""
    try:
        seconds = float(word)
    except ValueError:
        seconds = 0.0
    if not SHORTEST_S <= seconds <= LONGEST_S:
        bounds = f"from {SHORTEST_S:g} to {LONGEST_S:g}"
        raise argparse.ArgumentTypeError(f"'{word}' is no number of seconds {bounds}")
    return seconds


def one(word: str) -> list[str]:
    """One word as a list, as several would be."""
    return [word]


def count(word: str) -> int:
    """A number of packets."""
    if not word.isdecimal() or int(word) == 0:
        raise argparse.ArgumentTypeError(f"'{word}' is no number of packets")
    return int(word)


def few(word: str) -> int:
    """A number of packets from 1 to 100."""
    if not word.isdecimal() or not 1 <= int(word) <= 100:
        raise argparse.ArgumentTypeError(f"'{word}' is no number from 1 to 100")
    return int(word)


def port(word: str) -> int:
    """A port."""
    if not word.isdecimal() or not 1 <= int(word) <= 65535:
        raise argparse.ArgumentTypeError(f"'{word}' is no port from 1 to 65535")
    return int(word)


def mark(word: str) -> Bits:
    """A mark, with `/M` only the bits in M."""
    try:
        return parse_mark(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def length(word: str) -> int:
    """Bytes of a packet with its IP header."""
    if not word.isdecimal() or not 20 <= int(word) <= 65535:
        raise argparse.ArgumentTypeError(f"'{word}' is no length from 20 to 65535")
    return int(word)
