# A virtual machine without any rule.
uplink ens3 192.0.2.10/24
# probe 192.0.2.10
