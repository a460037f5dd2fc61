package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// What much is: the rules of a profile, and the parts of a big spec.
const (
	rules       = 100
	bigMounts   = 100
	bigEnv      = 7000 // Kubernetes gives seven for each service of a namespace
	bigLabels   = 300
	bigLabel    = 4096 // bytes of each
	bigAtLeast  = 2 << 20
	bigAtMost   = 3 << 20
	tellService = "SERVICE_OF_THE_NAMESPACE_NUMBER_%d_PORT_8443_TCP_ADDR=tcp://10.96.%d.%d:8443/of-a-cluster-with-long-names-%0*d"
)

// loads measures create where the policy or the spec is big.
func (b *bench) loads() error {
	if err := b.ruled(); err != nil {
		return err
	}
	create := func(s side, id string) (map[string]float64, error) {
		id = "big-" + id
		spec, err := b.big(id)
		if err == nil && s.program == b.runc {
			spec, err = b.tighten(id, spec)
		}
		if err != nil {
			return nil, err
		}
		if err := b.bundle(id, spec); err != nil {
			return nil, err
		}
		ms, err := b.call(s, "create", "--bundle", b.path("bundles", id), id)
		if err != nil {
			return nil, err
		}
		_, err = b.call(s, "delete", "--force", id)
		return map[string]float64{"create": ms}, err
	}
	for _, c := range []struct {
		what  string
		sides [2]side
		limit float64
		floor float64
	}{
		{"create of a 2 MiB spec", [2]side{b.direct(), b.wrapped()}, doorAdds, 0},
		{"create of a 2 MiB spec, with a runtime that does nothing", [2]side{b.nothing(), b.alone()}, 0, b.floor},
	} {
		all, err := b.alternate(c.sides, create)
		if err != nil {
			return err
		}
		b.row(row{what: c.what, of: *all["create"], unit: "ms", adds: c.limit, floor: c.floor})
	}
	return nil
}

// ruled measures a container with many network rules.
func (b *bench) ruled() error {
	allow := make([]string, rules)
	for i := range allow {
		allow[i] = fmt.Sprintf("10.%d.%d.0/24:%d/tcp", i, i, 1024+i)
	}
	text := fmt.Sprintf("%sprofile: p\nprofiles: {p: {extends: builtin/restricted, others: admit, userns: {mode: off}, egress: {allow: [%s]}}}\n",
		b.base(b.runc), strings.Join(allow, ", "))
	if err := os.WriteFile(b.path("rules.yaml"), []byte(text), 0o644); err != nil {
		return err
	}
	all, err := b.alternate([2]side{b.direct(), {"ruled", b.hatchdog, b.path("rules.yaml")}}, func(s side, id string) (map[string]float64, error) {
		return b.live(s, "rules-"+id)
	})
	if err != nil {
		return err
	}
	b.row(row{what: fmt.Sprintf("create, %d network rules", rules), of: *all["create"], unit: "ms", adds: doorAdds})
	b.row(row{what: fmt.Sprintf("start, %d network rules", rules), of: *all["start"], unit: "ms"})
	return nil
}

// big is a spec as large as those of a cluster with very many services and of
// an engine that was given very many labels and files.
func (b *bench) big(id string) ([]byte, error) {
	raw, err := b.asked(id, "/bin/true")
	if err != nil {
		return nil, err
	}
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	for i := range bigEnv {
		s.Process.Env = append(s.Process.Env, fmt.Sprintf(tellService, i, i>>8&255, i&255, 16, i))
	}
	s.Annotations = map[string]string{}
	for i := range bigLabels {
		s.Annotations[fmt.Sprintf("org.example.label-%d", i)] = strings.Repeat("x", bigLabel)
	}
	for i := range bigMounts {
		s.Mounts = append(s.Mounts, specs.Mount{
			Destination: fmt.Sprintf("/mnt/%d", i), Type: "bind", Source: b.path("etc/hosts"), Options: []string{"rbind", "ro", "rprivate"},
		})
	}
	if raw, err = json.Marshal(&s); err != nil {
		return nil, err
	}
	if len(raw) < bigAtLeast || len(raw) > bigAtMost {
		return nil, fmt.Errorf("the big spec has %d bytes", len(raw))
	}
	return raw, nil
}
