"""An nft ruleset as `nft list ruleset` prints it, and helpers to look into one."""

from __future__ import annotations

from calitop.formats import nft_json, nft_text
from calitop.formats.fragment import Fragment
from calitop.model.rules import Chain, Family, Rule, Table, VerdictMap

CALICO = """\
table ip calico {
	set cali40s-all {
		type ipv4_addr
		flags interval
		elements = { 10.0.0.0/8, 192.168.1.1-192.168.1.9 }
	}

	map filter-cali-from-wl-dispatch {
		type ifname : verdict
		elements = { "cali1" : goto filter-cali-fw-cali1,
				"cali2" : goto filter-cali-fw-cali2,
				"cali3" comment "x, } y : z" : drop }
	}

	flowtable calico {
		hook ingress priority filter
		devices = { eth0, eth1 }
	}

	chain filter-cali-fw-cali1 {
		ct state established,related counter packets 5 bytes 420 accept comment "cali:a; Accept"
		ct state invalid counter packets 0 bytes 0 drop
		counter packets 7 bytes 588 meta mark set meta mark & 0xfff0ffff
		ip saddr @cali40s-all tcp dport { 80, 443 } meta mark set meta mark | 0x00010000
		meta mark & 0x00010000 == 0x00010000 counter packets 1 bytes 84 return
		counter packets 2 bytes 168 drop comment "counter packets 9 bytes 9 # handle 3"
	}

	chain filter-cali-fw-cali2 {
	}

	chain filter-cali-from-wl-dispatch {
		iifname vmap @filter-cali-from-wl-dispatch
		counter packets 0 bytes 0 drop comment "cali:q; Unknown interface"
	}

	chain filter-FORWARD {
		type filter hook forward priority filter; policy drop;
		iifname "cali*" counter packets 9 bytes 756 goto filter-cali-from-wl-dispatch
		ct state vmap { invalid : drop, established : accept, related : accept }
	}
}
table inet fw {
	counter web {
		packets 3 bytes 4
	}

	chain input {
		comment "the first"
		type filter hook input priority filter + 5; policy accept;
		tcp dport 443 counter name "web" accept
		log prefix "counter packets 1 bytes 2: " level info
		jump {
			tcp dport 22 accept
			drop
		}
	}
}
"""


def text(listing: str) -> Fragment:
    """The text form, read."""
    return nft_text.parse(listing)


def json(listing: str) -> Fragment:
    """The JSON form, read."""
    return nft_json.parse(listing)


def table(fragment: Fragment, family: Family, name: str) -> Table:
    """One table of the native rulesets."""
    assert fragment.rulesets is not None
    found = next(one for one in fragment.rulesets if one.family == family).table(name)
    assert found is not None
    return found


def chain(fragment: Fragment, family: Family, name: str, chain: str) -> Chain:
    """One chain of the native rulesets."""
    return table(fragment, family, name).chains[chain]


def rule(words: str) -> Rule:
    """The rule that a line of a listing is read as."""
    read = text(f"table ip t {{\n\tchain c {{\n\t\t{words}\n\t}}\n}}\n")
    assert read.problems == ()
    return chain(read, "ipv4", "t", "c").rules[0]


def maps(fragment: Fragment) -> dict[str, VerdictMap]:
    """All named sets and maps."""
    return {one.name: one for each in fragment.rulesets or () for table in each.tables for one in table.maps}
