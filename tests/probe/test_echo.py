"""Echo requests and what is heard of them."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from calitop.probe.echo import Heard, checksum, hear, request

numbers = st.integers(0, 0xFFFF)
versions = st.sampled_from([4, 6])


def ip_header(version: int) -> bytes:
    return bytes([0x45]) + bytes(19) if version == 4 else bytes([0x60]) + bytes(39)


def arriving(version: int, body: bytes) -> bytes:
    """As a raw socket hands it over: IPv4 with its header, IPv6 without."""
    return ip_header(4) + body if version == 4 else body


def reply_to(sent: bytes, version: int) -> bytes:
    return bytes([0 if version == 4 else 129]) + sent[1:]


@given(st.binary())
def test_data_with_its_checksum_sums_up_to_nothing(data: bytes) -> None:
    even = data + b"\0" * (len(data) % 2)
    assert checksum(even + struct.pack("!H", checksum(even))) == 0


@given(numbers, st.integers(0, 99))
def test_a_request_carries_the_right_checksum(number: int, sequence: int) -> None:
    assert checksum(request(4, number, sequence)) == 0


@given(versions, numbers, numbers)
def test_a_reply_is_recognised_by_its_number(version: int, number: int, sequence: int) -> None:
    data = arriving(version, reply_to(request(version, number, sequence), version))
    assert hear(version, data, number) == Heard(sequence, None)
    assert hear(version, data, number ^ 1) is None


@given(versions, numbers, numbers)
def test_an_error_is_recognised_by_what_it_quotes(version: int, number: int, sequence: int) -> None:
    quote = ip_header(version) + request(version, number, sequence)
    head = bytes([3 if version == 4 else 1, 1 if version == 4 else 0]) + bytes(6)
    heard = hear(version, arriving(version, head + quote), number)
    assert heard is not None and heard.sequence == sequence and "unreachable" in (heard.error or "")
    assert hear(version, arriving(version, head + quote), number ^ 1) is None


@given(versions, numbers, numbers)
def test_the_own_request_is_no_reply(version: int, number: int, sequence: int) -> None:
    assert hear(version, arriving(version, request(version, number, sequence)), number) is None


@given(versions, st.binary(max_size=120), numbers)
def test_whatever_arrives_does_no_harm(version: int, data: bytes, number: int) -> None:
    hear(version, data, number)
