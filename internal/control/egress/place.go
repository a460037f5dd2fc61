package egress

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Kind says where a container's network rules belong.
type Kind string

// The kinds.
const (
	Free   Kind = "free"   // the profile has no network rules
	Start  Kind = "start"  // a new namespace, whose processes wait for start
	Hooked Kind = "hooked" // a new namespace, whose processes start with the same call
	Joined Kind = "joined" // a namespace that is there already
	// Loopback is a new namespace of a user other than root, who cannot reach
	// into it but as the root of a user namespace, and whose engine wires it from inside or not at all.
	Loopback Kind = "loopback"
	Hosts    Kind = "host" // the host's
)

// Place is where a container's network rules are installed.
type Place struct {
	Kind Kind        `json:"kind"`
	Path string      `json:"path,omitempty"` // of a namespace that is there
	ID   host.FileID `json:"id"`             // what was found there
	// ResolvConf is the file that the container has as /etc/resolv.conf.
	ResolvConf string `json:"resolvConf,omitempty"`
}

// PlaceOf finds it. starts is true where the call that makes the namespace also
// starts the container.
func PlaceOf(p *policy.Profile, f host.Facts, s *specs.Spec, starts bool) Place {
	if len(p.EgressPolicies())+len(p.IngressPolicies()) == 0 && p.Rate.Egress == nil {
		return Place{Kind: Free}
	}
	place := Place{Kind: Start, ResolvConf: resolvConf(s)}
	switch ns := find(s, specs.NetworkNamespace); {
	case ns == nil:
		place.Kind = Hosts
	case ns.Path == "":
		switch {
		case f.Euid != 0 && !f.MayMount && !wired(s.Hooks):
			place.Kind = Loopback
		case starts:
			place.Kind = Hooked
		}
	default:
		found := f.Joined[ns.Path]
		place.Kind, place.Path, place.ID = Joined, ns.Path, found.ID
		if hosts := f.HostNamespaces[string(specs.NetworkNamespace)]; len(hosts) == 0 || slices.Contains(hosts, found.ID) {
			place.Kind = Hosts // where nobody can tell, it is the host's
		}
	}
	return place
}

// wired reports whether a hook may bring an interface into the namespace.
func wired(h *specs.Hooks) bool {
	return h != nil && len(h.Prestart)+len(h.CreateRuntime)+len(h.CreateContainer)+len(h.StartContainer)+len(h.Poststart) > 0 //nolint:staticcheck // Docker uses prestart
}

func resolvConf(s *specs.Spec) string {
	for _, m := range s.Mounts {
		if m.Destination == "/etc/resolv.conf" {
			return m.Source
		}
	}
	return ""
}

func find(s *specs.Spec, t specs.LinuxNamespaceType) *specs.LinuxNamespace {
	if s.Linux == nil {
		return nil
	}
	for i := range s.Linux.Namespaces {
		if s.Linux.Namespaces[i].Type == t {
			return &s.Linux.Namespaces[i]
		}
	}
	return nil
}
