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
	Hosts  Kind = "host"   // the host's
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
		if starts {
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
