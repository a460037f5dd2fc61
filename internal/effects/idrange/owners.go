package idrange

import (
	"math"
	"strconv"
	"strings"

	"github.com/hatchdog/hatchdog/internal/host"
)

const kubelet = "kubelet"

// engines are the names under which engines that run as root hold ids in
// /etc/subuid: Docker's userns-remap, Podman and CRI-O, the kubelet.
func engines() []string { return []string{"dockremap", "containers", kubelet} }

// Owners tells whose the ids of this host are. A file that cannot be read is an
// error.
func (s Store) Owners() (host.IDOwners, error) {
	var o host.IDOwners
	pool, err := s.pool()
	if err != nil {
		return o, err
	}
	o.Others = append(o.Others, toRange(pool.span))
	st, err := s.read()
	if err != nil {
		return o, err
	}
	for _, r := range st.Ranges { // those of a pool that the policy had before
		o.Others = append(o.Others, host.IDRange{Base: r.Base, Size: r.Size})
	}
	o.KubeletAny = true
	for file, to := range map[string]*[]host.IDRange{"etc/subuid": &o.EngineUIDs, "etc/subgid": &o.EngineGIDs} {
		if err := s.shares(file, to, &o); err != nil {
			return o, err
		}
	}
	for file, to := range map[string]*[]host.IDRange{"etc/passwd": &o.Users, "etc/group": &o.Groups} {
		err := s.scan(file, func(fields []string) {
			if len(fields) < 3 {
				return
			}
			if id, err := strconv.ParseUint(fields[2], 10, 32); err == nil && id >= least {
				*to = append(*to, host.IDRange{Base: uint32(id), Size: 1})
			}
		})
		if err != nil {
			return o, err
		}
	}
	return o, s.ordinary(&o)
}

// shares sorts the lines of subuid(5) by whether an engine holds them.
func (s Store) shares(file string, engine *[]host.IDRange, o *host.IDOwners) error {
	names := map[string]bool{}
	for _, e := range engines() {
		names[e] = true
	}
	return s.scan(file, func(fields []string) {
		if len(fields) != 3 {
			return
		}
		first, err1 := strconv.ParseUint(fields[1], 10, 32)
		count, err2 := strconv.ParseUint(fields[2], 10, 32)
		if err1 != nil || err2 != nil || count == 0 {
			return
		}
		r := toRange(span{first, first + count - 1})
		if fields[0] == kubelet {
			o.KubeletAny = false
		}
		if names[fields[0]] {
			*engine = append(*engine, r)
			return
		}
		o.Others = append(o.Others, r)
	})
}

// ordinary adds the ids that login.defs(5) gives to new accounts.
func (s Store) ordinary(o *host.IDOwners) error {
	return s.scan("etc/login.defs", func(fields []string) {
		words := strings.Fields(strings.Join(fields, ":"))
		if len(words) != 2 {
			return
		}
		last, err := strconv.ParseUint(words[1], 10, 32)
		if err != nil || last < least {
			return
		}
		switch words[0] {
		case "UID_MAX":
			o.Users = append(o.Users, toRange(span{least, last}))
		case "GID_MAX":
			o.Groups = append(o.Groups, toRange(span{least, last}))
		}
	})
}

func toRange(s span) host.IDRange {
	last := min(s.last, math.MaxUint32-1)
	if s.first > last {
		return host.IDRange{}
	}
	return host.IDRange{Base: uint32(s.first), Size: uint32(last - s.first + 1)}
}
