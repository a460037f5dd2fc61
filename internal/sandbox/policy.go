package sandbox

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// Own is the profile that an administrator's policy may have in place of the
// built-in one.
const Own = "sandbox"

// resolver is the address at which slirp4netns hands packets to the resolvers of
// the host, wherever they are: it is open where it is named by itself, and in no
// network around it (slirp4netns(1)).
const resolver = "10.0.2.3"

// ResolvConf is the file of a box that may look names up: the process beside it, to
// which its questions are led, asks the resolvers of the host there.
const ResolvConf = "nameserver " + resolver + "\n"

// Named reports whether the command may look names up.
func (b *Box) Named() bool {
	return slices.ContainsFunc(b.Allow, func(text string) bool {
		e, err := egress.Parse(text)
		return err == nil && e.Host != ""
	})
}

// entries are those of egress, as a file of the policy has them.
func entries(all []string) []any {
	var out []any
	for _, text := range all {
		if name, private := strings.CutSuffix(text, egress.PrivateWord); private {
			out = append(out, map[string]any{"name": name, "private": true})
			continue
		}
		out = append(out, text)
	}
	return out
}

// Policy is a file of the policy for this run alone, whose rule is asked first.
// It adds to base, the full name of a profile, what the caller granted; the
// caller is whom the policy belongs to.
func (b *Box) Policy(base string) ([]byte, error) {
	type object = map[string]any
	mounts := object{"allow": []any{"inherited", object{"path": b.Init, "access": "ro"}}}
	for _, g := range b.Grants {
		if !g.Implied && ownFiles(g.Path) {
			access := "ro"
			if g.Write {
				access = "rw"
			}
			mounts["allow"] = append(mounts["allow"].([]any), object{"path": g.Path, "access": access})
		}
	}
	if b.Exec {
		mounts["writableOptions"], mounts["tmpOptions"] = []any{}, []any{"nosuid", "nodev"}
	}
	profile := object{"extends": base, "description": "one run of hatchctl run", "mounts": mounts}
	if b.Resolv != "" {
		mounts["allow"] = append(mounts["allow"].([]any), object{"path": b.Resolv, "access": "ro"})
	}
	if len(b.Allow) > 0 {
		profile["egress"] = object{"allow": entries(b.Allow), "deny": []any{"inherited", resolver}}
	}
	d := Defaults()
	if b.Limits.Pids > d.Pids {
		profile["pids"] = object{"max": b.Limits.Pids}
	}
	if b.Limits.Memory > d.Memory {
		profile["memory"] = object{"max": fmt.Sprintf("%dB", b.Limits.Memory)}
	}
	if b.Limits.CPU > d.CPU {
		profile["cpu"] = object{"max": b.Limits.CPU}
	}
	return yaml.Marshal(object{
		"version":  1,
		"rules":    []any{object{"match": object{"id": b.ID}, "profile": "box-" + b.ID}},
		"profiles": object{"box-" + b.ID: profile},
	})
}

// ownFiles are files of the user that root is, which the profile protects from
// containers: a caller who is root may grant parts of them by name.
func ownFiles(p string) bool { return below("/root", p) && p != "/root" }
