package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects/resolver"
	"github.com/hatchdog/hatchdog/internal/inside"
	learning "github.com/hatchdog/hatchdog/internal/learn"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/probe"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// learnt is a container, from when its record is there until it is gone.
type learnt struct {
	entry  decision.Entry
	judged bool // whether it is of interest is known
	wanted bool
	told   bool // its namespace is known
	old    bool // it was there before the recorder was
	init   lowlevel.Init
	inode  uint32 // of its pid namespace; 0 where it was gone too soon
	since  time.Time
	ns     probe.Namespace
	mounts []learning.Mount
	groups map[string]string
	more   *learning.Data // what the probe does not count
}

// judge reads the record as soon as it is there.
func (b *learnt) judge(store decision.Store, pick func(workload.Workload) bool, asked func(decision.Entry, []byte)) {
	rec, err := store.Load(b.entry.Root, b.entry.ID)
	if err != nil {
		return // it is being made
	}
	b.entry.Record, b.judged = rec, true
	raw, err := store.Original(b.entry.Root, b.entry.ID)
	var s specs.Spec
	if err != nil || json.Unmarshal(raw, &s) != nil {
		return
	}
	w := workload.Identify(&s, b.entry.ID, rec.Decision.Bundle)
	if w.Sandbox || !pick(w) {
		return
	}
	if asked != nil {
		asked(b.entry, raw)
	}
	b.wanted, b.more = true, learning.New()
	b.more.Runs, b.more.Containers = 1, []string{b.entry.ID}
	for _, m := range s.Mounts {
		bound := m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
		if bound && !slices.Contains(m.Options, "ro") {
			b.more.Mounts[path.Clean(m.Destination)]++
		}
	}
	own := s.Linux != nil && slices.ContainsFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.NetworkNamespace })
	b.more.SharedNetwork = !own
}

// seek finds the container's first process, as soon as the low-level runtime names
// it: it may be gone soon.
func (b *learnt) seek() {
	if b.init.Pid != 0 {
		return
	}
	init, err := lowlevel.FindInit(b.entry.Root, b.entry.ID)
	if err != nil {
		return
	}
	if init.Started == 0 {
		init.Started = decision.StartTime(init.Pid)
	}
	b.init = init
	info, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", init.Pid))
	if err != nil || !init.Alive() {
		return
	}
	if _, err := fmt.Sscanf(info, "pid:[%d]", &b.inode); err != nil {
		b.inode = 0
	}
}

// find tells which of the namespaces that do something is the container's: by its
// inode and by when its first process started. Where that was gone too soon, by its
// start alone, if no other started in the same tick.
func (b *learnt) find(states []probe.State) {
	var fit []probe.Namespace
	for _, s := range states {
		if s.Namespace.Ticks() == b.init.Started && (b.inode == 0 || b.inode == s.Namespace.Inode) {
			fit = append(fit, s.Namespace)
		}
	}
	if len(fit) == 1 {
		b.ns, b.told = fit[0], true
	}
}

// sample reads what is there only while the container is.
func (b *learnt) sample(dir string) {
	if given, err := lowlevel.FindGiven(b.entry.Root, b.entry.ID); err == nil && b.groups == nil {
		b.groups = given.Cgroups
	}
	c := inside.ReadCounted(b.groups)
	b.more.Pids = max(b.more.Pids, c.PidsNow, c.PidsPeak)
	b.more.Memory = max(b.more.Memory, c.MemoryPeak)
	if st, err := resolver.ReadStatus(decision.ResolverStatus(dir)); err == nil {
		for _, n := range st.Names {
			for _, a := range n.Addrs {
				b.more.Named(a.Unmap().String(), n.Name)
			}
		}
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", b.init.Pid))
	if err != nil || strings.HasPrefix(string(comm), "runc:[") {
		return // its mounts are not yet its own
	}
	mounts, err := mountinfo.PidMountInfo(b.init.Pid) //nolint:staticcheck // of this very process
	if err != nil || !b.init.Alive() {
		return
	}
	b.mounts = nil
	for _, m := range mounts {
		b.mounts = append(b.mounts, learning.Mount{At: m.Mountpoint, Device: learning.Number(uint64(m.Major), uint64(m.Minor))}) //nolint:gosec // numbers of devices
	}
}

// hostAddresses are the host's own, the gateways of its bridges among them.
func hostAddresses() func(netip.Addr) bool {
	own := map[netip.Addr]bool{}
	all, _ := net.InterfaceAddrs()
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own[p.Addr().Unmap()] = true
		}
	}
	return func(a netip.Addr) bool { return own[a] }
}
