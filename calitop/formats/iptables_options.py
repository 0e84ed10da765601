"""Options of iptables, its matches and its targets, each with its number of values.

Needed to tell an option from a value that looks like one (a comment `-j`).
Source: iptables(8), iptables-extensions(8) of 1.8.9, older spellings and xtables-addons.
"""

from __future__ import annotations

from calitop.formats.words import names

Options = dict[str, int]


def _read(lines: str) -> dict[str, Options]:
    """`module: option option=2 option=0`, one value where no number stands."""
    table: dict[str, Options] = {}
    for line in lines.strip().split("\n"):
        module, _, words = line.partition(":")
        options: Options = {}
        for word in words.split():
            name, _, number = word.partition("=")
            options[name] = int(number or 1)
        table[module.strip()] = options
    return table


SHORT = {
    "A": "append",
    "s": "source",
    "d": "destination",
    "p": "protocol",
    "i": "in-interface",
    "o": "out-interface",
    "j": "jump",
    "g": "goto",
    "m": "match",
    "f": "fragment",
    "c": "set-counters",
    "4": "ipv4",
    "6": "ipv6",
}
"""Letters of the general options."""

GENERAL: Options = {
    "append": 1,
    "source": 1,
    "src": 1,
    "destination": 1,
    "dst": 1,
    "protocol": 1,
    "proto": 1,
    "in-interface": 1,
    "out-interface": 1,
    "jump": 1,
    "goto": 1,
    "match": 1,
    "fragment": 0,
    "fragments": 0,
    "set-counters": 2,
    "ipv4": 0,
    "ipv6": 0,
}

FREE_TEXT = names(
    "comment log-prefix nflog-prefix ulog-prefix string hex-string bytecode u32 name hashlimit-name"
)
"""Options whose value may be a lone `!`."""

MATCHES = _read(
    """
    tcp: sport source-port dport destination-port tcp-flags=2 syn=0 tcp-option
    udp: sport source-port dport destination-port
    udplite: sport source-port dport destination-port
    sctp: sport source-port dport destination-port chunk-types=2
    dccp: sport source-port dport destination-port dccp-types dccp-option
    icmp: icmp-type
    icmp6: icmpv6-type
    icmpv6: icmpv6-type
    igmp: igmp-type
    ah: ahspi ahlen ahres=0
    esp: espspi
    mh: mh-type
    comment: comment
    mark: mark
    connmark: mark
    conntrack: ctstate ctproto ctorigsrc ctorigdst ctreplsrc ctrepldst ctorigsrcport ctorigdstport """
    """ctreplsrcport ctrepldstport ctstatus ctexpire ctdir
    state: state
    set: match-set=2 set=2 return-nomatch=0 update-counters=0 update-subcounters=0 packets-eq packets-lt """
    """packets-gt bytes-eq bytes-lt bytes-gt
    multiport: sports source-ports dports destination-ports ports
    addrtype: src-type dst-type limit-iface-in=0 limit-iface-out=0
    rpfilter: loose=0 validmark=0 accept-local=0 invert=0
    physdev: physdev-in physdev-out physdev-is-in=0 physdev-is-out=0 physdev-is-bridged=0
    mac: mac-source
    length: length
    ttl: ttl-eq ttl ttl-gt ttl-lt
    hl: hl-eq hl hl-gt hl-lt
    iprange: src-range dst-range
    owner: uid-owner gid-owner socket-exists=0 suppl-groups=0 pid-owner sid-owner cmd-owner
    socket: transparent=0 nowildcard=0 restore-skmark=0
    statistic: mode probability every packet
    random: average
    nth: every counter start packet
    limit: limit limit-burst
    hashlimit: hashlimit hashlimit-upto hashlimit-above hashlimit-burst hashlimit-mode hashlimit-srcmask """
    """hashlimit-dstmask hashlimit-name hashlimit-htable-size hashlimit-htable-max hashlimit-htable-expire """
    """hashlimit-htable-gcinterval hashlimit-rate-match=0 hashlimit-rate-interval
    dstlimit: dstlimit dstlimit-mode dstlimit-name dstlimit-burst dstlimit-htable-size dstlimit-htable-max """
    """dstlimit-htable-gcinterval dstlimit-htable-expire
    recent: name set=0 rcheck=0 update=0 remove=0 rsource=0 rdest=0 mask seconds reap=0 hitcount rttl=0
    time: datestart datestop timestart timestop monthdays weekdays kerneltz=0 contiguous=0 """
    """localtz=0 utc=0 days
    string: algo from to string hex-string icase=0
    bpf: bytecode object-pinned bytecode-file
    u32: u32
    dscp: dscp dscp-class
    tos: tos
    ecn: ecn-tcp-cwr=0 ecn-tcp-ece=0 ecn-ip-ect
    cgroup: path cgroup
    devgroup: src-group dst-group
    pkttype: pkt-type
    nfacct: nfacct-name
    helper: helper
    ipvs: ipvs=0 vproto vaddr vport vdir vmethod vportctl
    cluster: cluster-total-nodes cluster-local-node cluster-local-nodemask cluster-hash-seed
    connbytes: connbytes connbytes-dir connbytes-mode
    connlabel: label set=0
    connlimit: connlimit-upto connlimit-above connlimit-mask connlimit-saddr=0 connlimit-daddr=0
    cpu: cpu
    dst: dst-len dst-opts
    hbh: hbh-len hbh-opts
    eui64:
    frag: fragid fraglen fragres=0 fragfirst=0 fragmore=0 fraglast=0
    rt: rt-type rt-segsleft rt-len rt-0-res=0 rt-0-addrs rt-0-not-strict=0
    srh: srh-next-hdr srh-hdr-len-eq srh-hdr-len-gt srh-hdr-len-lt srh-segs-left-eq srh-segs-left-gt """
    """srh-segs-left-lt srh-last-entry-eq srh-last-entry-gt srh-last-entry-lt srh-tag srh-psid srh-nsid """
    """srh-lsid
    ipv6header: header soft=0
    ipcomp: ipcompspi ipcompres=0
    nat:
    osf: genre ttl log
    policy: dir pol strict=0 next=0 reqid spi proto mode tunnel-src tunnel-dst
    quota: quota quota2 name grow=0 no-change=0
    quota2: quota name grow=0 no-change=0 packets=0
    rateest: rateest rateest1 rateest2 rateest-bps rateest-pps rateest-bps1 rateest-bps2 rateest-pps1 """
    """rateest-pps2 rateest-delta=0 rateest-lt=0 rateest-gt=0 rateest-eq=0
    realm: realm
    tcpmss: mss
    tcpudp: sport dport
    unclean:
    account: aaddr aname ashort=0
    condition: condition
    dnetmap:
    fuzzy: lower-limit upper-limit
    geoip: src-cc dst-cc source-country destination-country
    gradm: enabled=0 disabled=0
    iface: iface dev-in=0 dev-out=0 up=0 down=0 loopback=0 pointopoint=0 running=0 noarp=0 promisc=0 """
    """multicast=0 dynamic=0 lower-up=0 dormant=0
    ipp2p: edk=0 dc=0 gnu=0 kazaa=0 bit=0 apple=0 winmx=0 soul=0 ares=0 ipp2p=0 ipp2p-data=0 debug=0
    ipv4options: flags any=0
    layer7: l7dir l7proto l7pkts
    length2: length layer3=0 layer4=0 layer5=0 layer7=0
    lscan: stealth=0 synscan=0 cnscan=0 grscan=0
    ndpi: all=0 proto unknown=0
    pknock: knockports time t autoclose strict=0 name checkip=0 opensecret closesecret
    psd: psd-weight-threshold psd-delay-threshold psd-lo-ports-weight psd-hi-ports-weight
    web: web host hpath lurl
    webstr: url host content
    """
)

TARGETS = _read(
    """
    MARK: set-mark set-xmark and-mark or-mark xor-mark
    CONNMARK: set-mark set-xmark and-mark or-mark xor-mark save-mark=0 restore-mark=0 nfmask ctmask mask """
    """left-shift-mark right-shift-mark
    CT: notrack=0 helper timeout ctevents expevents zone zone-orig zone-reply
    NOTRACK:
    DNAT: to-destination random=0 persistent=0
    SNAT: to-source random=0 random-fully=0 persistent=0
    MASQUERADE: to-ports random=0 random-fully=0
    REDIRECT: to-ports random=0
    NETMAP: to
    SAME: to nodst=0 random=0
    REJECT: reject-with
    TPROXY: on-ip on-port tproxy-mark
    LOG: log-level log-prefix log-tcp-sequence=0 log-tcp-options=0 log-ip-options=0 log-uid=0 log-macdecode=0
    NFLOG: nflog-group nflog-prefix nflog-range nflog-size nflog-threshold
    ULOG: ulog-nlgroup ulog-prefix ulog-cprange ulog-qthreshold
    NFQUEUE: queue-num queue-balance queue-bypass=0 queue-cpu-fanout=0
    TCPMSS: set-mss clamp-mss-to-pmtu=0
    TCPOPTSTRIP: strip-options
    DSCP: set-dscp set-dscp-class
    CHECKSUM: checksum-fill=0
    TOS: set-tos and-tos or-tos xor-tos
    TTL: ttl-set ttl-dec ttl-inc
    HL: hl-set hl-dec hl-inc
    SET: add-set=2 del-set=2 map-set=2 timeout exist=0 map-mark=0 map-prio=0 map-queue=0
    CLASSIFY: set-class
    CLUSTERIP: new=0 hashmode clustermac total-nodes local-node hash-init
    CONNSECMARK: save=0 restore=0
    SECMARK: selctx
    AUDIT: type
    DNPT: src-pfx dst-pfx
    SNPT: src-pfx dst-pfx
    ECN: ecn-tcp-remove=0 ecn-tcp-cwr ecn-tcp-ece ecn-ip-ect
    HMARK: hmark-tuple hmark-mod hmark-offset hmark-src-prefix hmark-dst-prefix hmark-sport-mask """
    """hmark-dport-mask hmark-spi-mask hmark-proto-mask hmark-rnd hmark-sport hmark-dport hmark-spi
    IDLETIMER: timeout label alarm=0 send_nl_msg
    LED: led-trigger-id led-delay led-always-blink=0
    RATEEST: rateest-name rateest-interval rateest-ewmalog
    SYNPROXY: sack-perm=0 timestamp=0 wscale mss ecn=0
    TEE: gateway oif
    TRACE:
    ROUTE: oif iif gw continue=0 tee=0
    IPMARK: addr and-mask or-mask shift
    TARPIT: tarpit=0 honeypot=0 reset=0
    FLOWOFFLOAD: hw=0
    ACCOUNT: addr tname
    """
)
