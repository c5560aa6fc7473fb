#!/usr/bin/env python3
"""machines.py - hwloc XML of machines whose layout is published, and of odd ones.

usage: machines.py [FOLDER]      writes NAME.xml of each (default: beside this file)

Each is what lstopo would write, without what weft does not read.  Sources: OLCF's and
LUMI's node pages, NVIDIA's DGX A100 and H100 guides, Juelich's affinity pages, AMD's
MI300A and NVIDIA's Grace Hopper white papers.
"""
import os
import sys

GIB = 1 << 30
NVIDIA, AMD, INTEL, MELLANOX, CRAY, ASPEED, SAMSUNG = (
    0x10DE, 0x1002, 0x8086, 0x15B3, 0x17DB, 0x1A03, 0x144D)
CLASS = {"vga": 0x0300, "3d": 0x0302, "display": 0x0380, "accel": 0x1200,
         "ib": 0x0207, "eth": 0x0200, "nvme": 0x0108}


def mask(cpus):
    value = sum(1 << c for c in cpus)
    words = []
    while value or not words:
        words.append("0x%08x" % (value & 0xFFFFFFFF))
        value >>= 32
    return ",".join(reversed(words))


class Node:
    """An element: attributes in order, children."""

    def __init__(self, tag, **attrs):
        self.tag, self.attrs, self.children = tag, attrs, []

    def add(self, child):
        self.children.append(child)
        return child

    def write(self, out, indent):
        attrs = "".join(' %s="%s"' % (k.rstrip("_"), v) for k, v in self.attrs.items())
        if not self.children:
            out.append("%s<%s%s/>" % (indent, self.tag, attrs))
            return
        out.append("%s<%s%s>" % (indent, self.tag, attrs))
        for child in self.children:
            child.write(out, indent + " ")
        out.append("%s</%s>" % (indent, self.tag))


class Machine:
    def __init__(self, name, host):
        self.name, self.gp = name, 1
        self.cpus, self.nodes = set(), set()
        self.root = Node("object", type="Machine", os_index=0)
        self.root.add(Node("info", name="HostName", value=host))

    def obj(self, parent, type_, cpus=None, nodes=None, **attrs):
        self.gp += 1
        sets = {}
        if cpus is not None:
            sets["cpuset"] = sets["complete_cpuset"] = mask(cpus)
            self.cpus |= set(cpus)
        if nodes is not None:
            sets["nodeset"] = sets["complete_nodeset"] = mask(nodes)
            self.nodes |= set(nodes)
        return parent.add(Node("object", type=type_, **sets, gp_index=self.gp, **attrs))

    def numa(self, parent, cpus, os_index, size, subtype=None, bus=None):
        more = {"subtype": subtype} if subtype else {}
        n = self.obj(parent, "NUMANode", cpus, [os_index], os_index=os_index,
                     local_memory=size, **more)
        if bus:
            n.add(Node("info", name="PCIBusID", value=bus))

    def cores(self, parent, nodes, first, count, pus):
        for c in range(first, first + count):
            core = self.obj(parent, "Core", pus(c), nodes, os_index=c)
            for p in pus(c):
                self.obj(core, "PU", [p], nodes, os_index=p)

    def caches(self, parent, nodes, first, count, per_l3, pus, size=32 << 20):
        for c in range(first, first + count, per_l3):
            cpus = [p for k in range(c, c + per_l3) for p in pus(k)]
            l3 = self.obj(parent, "L3Cache", cpus, nodes, cache_size=size, depth=3,
                          cache_linesize=64, cache_associativity=16, cache_type=0)
            self.cores(l3, nodes, c, per_l3, pus)

    def host_bridge(self, parent, domain, low, high):
        return self.obj(parent, "Bridge", bridge_type="0-1", depth=0,
                        bridge_pci="%04x:[%02x-%02x]" % (domain, low, high))

    def bridge(self, parent, domain, bus, low, high):
        return self.obj(parent, "Bridge", bridge_type="1-1", depth=1,
                        bridge_pci="%04x:[%02x-%02x]" % (domain, low, high),
                        pci_busid="%04x:%02x:01.0" % (domain, bus),
                        pci_type="0604 [1022:1483] [0000:0000] 00", pci_link_speed="0")

    def pci(self, parent, address, kind, vendor, device, *os_devices):
        d = self.obj(parent, "PCIDev", pci_busid=address, pci_link_speed="0",
                     pci_type="%04x [%04x:%04x] [0000:0000] 00" % (CLASS[kind], vendor, device))
        for os_type, name, *infos in os_devices:
            o = self.obj(d, "OSDev", name=name, osdev_type=os_type)
            for key, value in infos:
                o.add(Node("info", name=key, value=value))

    def text(self):
        for prefix in ("", "complete_", "allowed_"):
            self.root.attrs[prefix + "cpuset"] = mask(self.cpus)
            self.root.attrs[prefix + "nodeset"] = mask(self.nodes)
        self.root.attrs["gp_index"] = 1
        out = ['<?xml version="1.0" encoding="UTF-8"?>',
               '<!DOCTYPE topology SYSTEM "hwloc2.dtd">', '<topology version="2.0">']
        self.root.write(out, " ")
        return "\n".join(out + ["</topology>", ""])


BLOCK, GPU, NETWORK, VERBS = 0, 1, 2, 3


def threads(step, ways=2):
    return lambda core: [core + step * i for i in range(ways)]


def one_thread(core):
    return [core]


def span(first, count, pus):
    return sorted(p for c in range(first, first + count) for p in pus(c))


def hca(m, at, address, i):
    m.pci(at, address, "ib", MELLANOX, 0x1021, (NETWORK, "ib%d" % i), (VERBS, "mlx5_%d" % i))


def mi250x(name, host, node_gib):
    """HPE Cray EX235a (Frontier, LUMI-G): a bridge a GPU, its L3 beside it, NICs at every second GPU."""
    m, pus = Machine(name, host), threads(64)
    package = m.obj(m.root, "Package", span(0, 64, pus), range(4), os_index=0)
    gpus = {0: "d1", 1: "d6", 2: "c9", 3: "cc", 4: "d9", 5: "de", 6: "c1", 7: "c6"}
    nics = {1: ("d5", 2), 3: ("cd", 1), 5: ("dd", 3), 7: ("c5", 0)}
    for n in range(4):
        cpus = span(16 * n, 16, pus)
        group = m.obj(package, "Group", cpus, [n], kind=10, subkind=0)
        m.numa(group, cpus, n, node_gib * GIB)
        m.caches(group, [n], 16 * n, 16, 8, pus)
        for i, l3 in enumerate(c for c in group.children if c.attrs["type"] == "L3Cache"):
            at = 2 * n + i
            bus = int(gpus[at], 16)
            nic = nics.get(at)
            low = min(bus, int(nic[0], 16) if nic else bus)
            host_bridge = m.host_bridge(l3, 0, low - 1, bus)
            m.pci(m.bridge(host_bridge, 0, low - 1, bus, bus), "0000:%02x:00.0" % bus,
                  "display", AMD, 0x7408)
            if nic:
                m.pci(m.bridge(host_bridge, 0, low - 1, low, low), "0000:%s:00.0" % nic[0],
                      "eth", CRAY, 0x0501, (NETWORK, "hsn%d" % nic[1]))
        if n == 3:
            nvme = m.host_bridge(group, 0, 0x80, 0x83)
            for i in range(2):
                m.pci(m.bridge(nvme, 0, 0x80, 0x82 + i, 0x82 + i), "0000:8%d:00.0" % (2 + i),
                      "nvme", SAMSUNG, 0xA824, (BLOCK, "nvme%dn1" % i))
    return m


def dgx_a100(name="dgx-a100"):
    m, pus = Machine(name, "dgxa100"), threads(128)
    # A PCIe switch has two GPUs and two HCAs.
    switch = {3: (0x07, 0x0F, 0x0C, 0x12, 0), 1: (0x47, 0x4E, 0x4B, 0x54, 2),
              7: (0x87, 0x90, 0x8D, 0x94, 4), 5: (0xB7, 0xBD, 0xBA, 0xCC, 6)}
    for p in range(2):
        package = m.obj(m.root, "Package", span(64 * p, 64, pus), range(4 * p, 4 * p + 4),
                        os_index=p)
        for n in range(4 * p, 4 * p + 4):
            cpus = span(16 * n, 16, pus)
            group = m.obj(package, "Group", cpus, [n], kind=10, subkind=0)
            m.numa(group, cpus, n, 64 * GIB)
            m.caches(group, [n], 16 * n, 16, 4, pus, 16 << 20)
            if n in switch:
                *bus, first = switch[n]
                up = m.bridge(m.host_bridge(group, 0, min(bus) - 2, max(bus)), 0,
                              min(bus) - 2, min(bus) - 1, max(bus))
                for b in bus[:2]:
                    m.pci(up, "0000:%02x:00.0" % b, "3d", NVIDIA, 0x20B0)
                for i, b in enumerate(bus[2:]):
                    hca(m, up, "0000:%02x:00.0" % b, first + i)
    return m


def dgx_h100(name="dgx-h100"):
    m, pus = Machine(name, "dgxh100"), threads(112)
    gpus = (0x1B, 0x43, 0x52, 0x61, 0x9D, 0xC3, 0xD1, 0xDF)
    for p in range(2):
        cpus = span(56 * p, 56, pus)
        package = m.obj(m.root, "Package", cpus, [p], os_index=p)
        m.numa(package, cpus, p, 1024 * GIB)
        m.caches(package, [p], 56 * p, 56, 56, pus, 105 << 20)
        for i in range(4 * p, 4 * p + 4):
            bus = gpus[i]
            up = m.bridge(m.host_bridge(package, 0, bus - 6, bus), 0, bus - 6, bus - 5, bus)
            hca(m, up, "0000:%02x:00.0" % (bus - 3), i)
            m.pci(up, "0000:%02x:00.0" % bus, "3d", NVIDIA, 0x2330)
        if p == 0:
            # The management controller's screen is no GPU; the system disks.
            low = m.host_bridge(package, 0, 0, 5)
            m.pci(m.bridge(low, 0, 0, 3, 3), "0000:03:00.0", "vga", ASPEED, 0x2000)
            for i in range(2):
                m.pci(m.bridge(low, 0, 0, 4 + i, 4 + i), "0000:0%d:00.0" % (4 + i), "nvme",
                      SAMSUNG, 0xA824, (BLOCK, "nvme%dn1" % i))
    return m


def juwels_booster(name="juwels-booster"):
    m, pus = Machine(name, "jwb"), threads(48)
    gpus = {3: (0x03, 0x01, 0), 1: (0x44, 0x40, 1), 7: (0x84, 0x80, 2), 5: (0xC4, 0xC0, 3)}
    for p in range(2):
        package = m.obj(m.root, "Package", span(24 * p, 24, pus), range(4 * p, 4 * p + 4),
                        os_index=p)
        for n in range(4 * p, 4 * p + 4):
            cpus = span(6 * n, 6, pus)
            group = m.obj(package, "Group", cpus, [n], kind=10, subkind=0)
            m.numa(group, cpus, n, 64 * GIB)
            m.caches(group, [n], 6 * n, 6, 3, pus, 16 << 20)
            if n in gpus:
                gpu, nic, i = gpus[n]
                low = min(gpu, nic) - 1
                up = m.bridge(m.host_bridge(group, 0, max(low, 0), gpu), 0, max(low, 0),
                              min(gpu, nic), gpu)
                m.pci(up, "0000:%02x:00.0" % gpu, "3d", NVIDIA, 0x20B0)
                hca(m, up, "0000:%02x:00.0" % nic, i)
    return m


def gh200(name="gh200x4"):
    """Four Grace Hopper: the GPU's memory is a NUMA node without CPUs of its own."""
    m = Machine(name, "gh200")
    for p in range(4):
        cpus = span(72 * p, 72, one_thread)
        gpu = "00%d9:01:00.0" % p
        package = m.obj(m.root, "Package", cpus, [p, 4 + 8 * p], os_index=p)
        m.numa(package, cpus, p, 120 * GIB)
        m.numa(package, [], 4 + 8 * p, 96 * GIB, "GPUMemory", gpu)
        m.caches(package, [p, 4 + 8 * p], 72 * p, 72, 72, one_thread, 114 << 20)
        m.pci(m.bridge(m.host_bridge(package, 16 * p + 9, 0, 1), 16 * p + 9, 0, 1, 1), gpu, "3d",
              NVIDIA, 0x2342)
        m.pci(m.bridge(m.host_bridge(package, 16 * p, 0, 3), 16 * p, 0, 3, 3),
              "00%d0:03:00.0" % p, "eth", CRAY, 0x0501, (NETWORK, "hsn%d" % p))
    return m


def mi300a(name="mi300a", host="mi300a"):
    """Four APUs: 24 cores on three chiplets, HBM is all the memory there is."""
    m, pus = Machine(name, host), threads(96)
    for p in range(4):
        cpus = span(24 * p, 24, pus)
        package = m.obj(m.root, "Package", cpus, [p], os_index=p)
        m.numa(package, cpus, p, 128 * GIB)
        m.caches(package, [p], 24 * p, 24, 8, pus)
        m.pci(m.bridge(m.host_bridge(package, p, 0, 1), p, 0, 1, 1), "%04x:01:00.0" % p,
              "accel", AMD, 0x74A0)
        m.pci(m.bridge(m.host_bridge(package, p, 0x90, 0x91), p, 0x90, 0x91, 0x91),
              "%04x:91:00.0" % p, "eth", CRAY, 0x0501, (NETWORK, "hsn%d" % p))
    return m


def grace(name="grace"):
    """A Grace CPU superchip: no GPU, one thread a core, a numbering without gaps."""
    m = Machine(name, "grace")
    for p in range(2):
        cpus = span(72 * p, 72, one_thread)
        package = m.obj(m.root, "Package", cpus, [p], os_index=p)
        m.numa(package, cpus, p, 240 * GIB)
        m.caches(package, [p], 72 * p, 72, 72, one_thread, 114 << 20)
        bridge = m.host_bridge(package, p, 0, 1)
        hca(m, m.bridge(bridge, p, 0, 1, 1), "%04x:01:00.0" % p, p)
    return m


def xeon_max(name="xeon-max"):
    """Sapphire Rapids HBM, SNC4, flat: each quarter has DDR and HBM; a CXL card, too."""
    m, pus = Machine(name, "xeonmax"), threads(112)
    everything = span(0, 112, pus)
    m.numa(m.root, everything, 16, 512 * GIB, "CXL-DRAM")
    for p in range(2):
        nodes = [k for n in range(4 * p, 4 * p + 4) for k in (n, 8 + n)]
        package = m.obj(m.root, "Package", span(56 * p, 56, pus), nodes + [16], os_index=p)
        for n in range(4 * p, 4 * p + 4):
            cpus = span(14 * n, 14, pus)
            group = m.obj(package, "Group", cpus, [n, 8 + n, 16], kind=10, subkind=0)
            m.numa(group, cpus, n, 64 * GIB)
            m.numa(group, cpus, 8 + n, 16 * GIB)
            m.cores(group, [n, 8 + n, 16], 14 * n, 14, pus)
        hca(m, m.bridge(m.host_bridge(package, 0, 0x50 * (p + 1), 0x50 * (p + 1) + 1), 0,
                        0x50 * (p + 1), 0x50 * (p + 1) + 1, 0x50 * (p + 1) + 1),
            "0000:%02x:00.0" % (0x50 * (p + 1) + 1), p)
    return m


def epyc_dual(name="epyc-dual"):
    """Two Genoa, NPS1, as most CPU partitions are: 12 L3 a socket, one NIC for both."""
    m, pus = Machine(name, "epyc"), threads(192)
    for p in range(2):
        cpus = span(96 * p, 96, pus)
        package = m.obj(m.root, "Package", cpus, [p], os_index=p)
        m.numa(package, cpus, p, 384 * GIB)
        m.caches(package, [p], 96 * p, 96, 8, pus)
        if p == 0:
            hca(m, m.bridge(m.host_bridge(package, 0, 0xE0, 0xE1), 0, 0xE0, 0xE1, 0xE1),
                "0000:e1:00.0", 0)
    return m


def odd(name="odd"):
    """Cores that are switched off, one with a thread less, sockets of different size, a
    NUMA node's number left out, a disk behind the GPUs' switch, a GPU of each vendor."""
    m = Machine(name, "odd")
    first = m.obj(m.root, "Package", [0, 1, 3, 8, 9], [0], os_index=0)
    m.numa(first, [0, 1, 3, 8, 9], 0, 48 * GIB)
    for cpus in ([0, 8], [1, 9], [3]):
        core = m.obj(first, "Core", cpus, [0], os_index=cpus[0])
        for c in cpus:
            m.obj(core, "PU", [c], [0], os_index=c)
    second = m.obj(m.root, "Package", [16, 17, 18], [2], os_index=3)
    m.numa(second, [16, 17, 18], 2, 16 * GIB)
    m.cores(second, [2], 16, 3, one_thread)
    up = m.bridge(m.host_bridge(first, 0, 0x10, 0x1F), 0, 0x10, 0x11, 0x1F)
    m.pci(up, "0000:12:00.0", "vga", NVIDIA, 0x1E04)
    m.pci(up, "0000:13:00.0", "nvme", SAMSUNG, 0xA824, (BLOCK, "nvme0n1"))
    m.pci(m.bridge(up, 0, 0x11, 0x15, 0x15), "0000:15:00.0", "accel", AMD, 0x738C)
    m.pci(m.host_bridge(second, 0, 0x80, 0x8F), "0000:81:00.0", "display", INTEL, 0x0BD5)
    m.pci(m.host_bridge(m.root, 1, 0, 1), "0001:01:00.0", "eth", INTEL, 0x1521,
          (NETWORK, "enP1p1s0"))
    return m


def aurora(name="aurora"):
    """Two Xeon Max, quadrant mode: DDR and HBM a socket; three Ponte Vecchio and four NICs
    at each."""
    m, pus = Machine(name, "aurora"), threads(104)
    for p in range(2):
        cpus = span(52 * p, 52, pus)
        package = m.obj(m.root, "Package", cpus, [p, 2 + p], os_index=p)
        m.numa(package, cpus, p, 512 * GIB)
        m.numa(package, cpus, 2 + p, 64 * GIB, "HBM")
        m.caches(package, [p, 2 + p], 52 * p, 52, 52, pus, 105 << 20)
        for i in range(3):
            bus = 0x18 + 0x2A * i + 0x80 * p
            m.pci(m.bridge(m.host_bridge(package, 0, bus - 1, bus), 0, bus - 1, bus, bus),
                  "0000:%02x:00.0" % bus, "display", INTEL, 0x0BD5)
        for i in range(4):
            domain = 1 + p
            bus = 0x10 + 4 * i
            m.pci(m.bridge(m.host_bridge(package, domain, bus - 1, bus), domain, bus - 1, bus, bus),
                  "%04x:%02x:00.0" % (domain, bus), "eth", CRAY, 0x0501,
                  (NETWORK, "hsn%d" % (4 * p + i)))
    return m


def mi300x(name="mi300x"):
    """Eight MI300X, four a socket, each with a NIC behind its switch; NPS1."""
    m, pus = Machine(name, "mi300x"), threads(96)
    gpus = (0x05, 0x26, 0x46, 0x65, 0x85, 0xA6, 0xC6, 0xE5)
    for p in range(2):
        cpus = span(48 * p, 48, pus)
        package = m.obj(m.root, "Package", cpus, [p], os_index=p)
        m.numa(package, cpus, p, 768 * GIB)
        m.caches(package, [p], 48 * p, 48, 6, pus)
        for i in range(4 * p, 4 * p + 4):
            bus = gpus[i]
            up = m.bridge(m.host_bridge(package, 0, bus - 4, bus), 0, bus - 4, bus - 3, bus)
            hca(m, up, "0000:%02x:00.0" % (bus - 2), i)
            m.pci(up, "0000:%02x:00.0" % bus, "accel", AMD, 0x74A1)
    return m


def power9(name="power9"):
    """Summit: SMT4 with numbers that leave gaps, a cache for two cores, GPUs whose memory
    the kernel names by their address and numbers from 255 down."""
    m = Machine(name, "summit")

    def pus(core):
        return [4 * core + 8 * (core // 22) + t for t in range(4)]

    node = 255
    for p in range(2):
        cpus = span(22 * p, 22, pus)
        gpus = ["%04x:%02x:00.0" % (0x4 if p == 0 else 0x35, 4 + i) for i in range(3)]
        mine = [8 * p] + [node - i for i in range(3)]
        package = m.obj(m.root, "Package", cpus, mine, os_index=8 * p)
        m.numa(package, cpus, 8 * p, 256 * GIB)
        for i, bus in enumerate(gpus):
            m.numa(package, cpus, node - i, 16 * GIB, bus=bus)
        node -= 3
        for c in range(22 * p, 22 * p + 22, 2):
            pair = span(c, 2, pus)
            l3 = m.obj(package, "L3Cache", pair, mine, cache_size=10 << 20, depth=3,
                       cache_linesize=128, cache_associativity=20, cache_type=0)
            m.cores(l3, mine, c, 2, pus)
        domain = int(gpus[0][:4], 16)
        up = m.bridge(m.host_bridge(package, domain, 0, 6), domain, 0, 1, 6)
        for bus in gpus:
            m.pci(up, bus, "3d", NVIDIA, 0x1DB1)
        for i in range(2):
            hca(m, m.host_bridge(package, domain - 2, 1, 1), "%04x:01:00.%d" % (domain - 2, i),
                2 * p + i)
    return m


def hybrid(name="hybrid"):
    """A desktop: 8 cores of two threads, 8 of one in fours, graphics of its own on bus 0
    (no GPU to compute with) and a card."""
    m = Machine(name, "desktop")
    package = m.obj(m.root, "Package", range(24), [0], os_index=0)
    m.numa(package, range(24), 0, 64 * GIB)
    l3 = m.obj(package, "L3Cache", range(24), [0], cache_size=30 << 20, depth=3,
               cache_linesize=64, cache_associativity=12, cache_type=0)
    m.cores(l3, [0], 0, 8, lambda c: [2 * c, 2 * c + 1])
    for first in (16, 20):
        l2 = m.obj(l3, "L2Cache", range(first, first + 4), [0], cache_size=2 << 20, depth=2,
                   cache_linesize=64, cache_associativity=16, cache_type=0)
        m.cores(l2, [0], first, 4, one_thread)
    low = m.host_bridge(package, 0, 0, 2)
    m.pci(low, "0000:00:02.0", "vga", INTEL, 0x4680, (GPU, "card0"))
    m.pci(m.bridge(low, 0, 0, 1, 1), "0000:01:00.0", "vga", NVIDIA, 0x2684, (GPU, "card1"))
    m.pci(low, "0000:00:1f.6", "eth", INTEL, 0x1A1C, (NETWORK, "eno1"))
    return m


def virtual(name="virtual"):
    """A small virtual machine: no packages, no caches, no PCI."""
    m = Machine(name, "vm")
    m.numa(m.root, [0, 1, 2], 0, 4 * GIB)
    for c in range(3):
        m.obj(m.root, "PU", [c], [0], os_index=c)
    return m


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    for m in (mi250x("frontier", "frontier", 128),
              dgx_a100(), dgx_h100(), juwels_booster(), gh200(), mi300a(), grace(), xeon_max(),
              epyc_dual(), odd(), aurora(), mi300x(), power9(), hybrid(), virtual()):
        with open(os.path.join(folder, m.name + ".xml"), "w", encoding="ascii") as f:
            f.write(m.text())


if __name__ == "__main__":
    main()
