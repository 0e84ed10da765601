"""Two questions to rtnetlink, both read-only: the number of a namespace, and its addresses.

Both answer for the namespace of the calling thread; addresses also for another one that has a
number there (Linux 4.20 or later), so that no thread need enter it.
Source: include/uapi/linux/rtnetlink.h, net_namespace.h, if_addr.h.
"""

from __future__ import annotations

import errno
import struct
from ipaddress import ip_address

from calitop.model.values import Address
from calitop.sources.netlink import ask, attributes, dump

_RTM_GETADDR, _RTM_GETNSID = 22, 90
_NETNSA_NSID, _NETNSA_FD = 1, 3
_IFA_ADDRESS, _IFA_LOCAL, _IFA_TARGET_NETNSID = 1, 2, 10
_NSID_HEADER = 4
"""struct rtgenmsg, padded."""
_ADDRESS_HEADER = struct.Struct("=BBBBI")


def namespace_id(descriptor: int) -> int | None:
    """The number by which this namespace's links know another one (`link-netnsid`).

    Args:
        descriptor: Open file of the other namespace.

    Returns:
        None when it has no number here, or the file is no namespace.
    """
    asked = bytes(_NSID_HEADER) + struct.pack("=HHi", 8, _NETNSA_FD, descriptor)
    try:
        body = ask(_RTM_GETNSID, asked)
    except OSError:
        return None
    value = attributes(body, _NSID_HEADER).get(_NETNSA_NSID) if body is not None else None
    if value is None:
        return None
    number: int = struct.unpack("=i", value)[0]
    return number if number >= 0 else None


def addresses(space: int | None = None) -> list[tuple[int, Address]]:
    """Every address of a namespace with the ifindex of its device.

    Args:
        space: Number of the namespace in the calling thread's; None for the calling thread's own.

    Raises:
        OSError: The kernel refuses, or does not know the question about another namespace.
    """
    header = _ADDRESS_HEADER.pack(0, 0, 0, 0, 0)
    wanted = b"" if space is None else struct.pack("=HHi", 8, _IFA_TARGET_NETNSID, space)
    found = []
    for body in dump(_RTM_GETADDR, header + wanted):
        index = _ADDRESS_HEADER.unpack_from(body)[4]
        told = attributes(body, _ADDRESS_HEADER.size)
        if space is not None and told.get(_IFA_TARGET_NETNSID) != struct.pack("=i", space):
            raise OSError(errno.EOPNOTSUPP, "this kernel tells the addresses of its own namespace only")
        value = told.get(_IFA_LOCAL, told.get(_IFA_ADDRESS))
        if value is not None and len(value) in (4, 16):
            found.append((index, ip_address(value)))
    return found
