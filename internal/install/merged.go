package install

import (
	"path"
	"slices"
)

// mergedState reads the files of an engine that merges several, a later one over
// an earlier one: CRI-O's (crio.conf.d(5)), Podman's (containers.conf(5)).
func mergedState(of tables, files ...[]byte) (State, error) {
	s := State{Annotations: true} // both pass all of them on
	var names []string
	def := ""
	for _, raw := range files {
		t, err := parseTOML(raw)
		if err != nil {
			return State{}, err
		}
		parent := lookup(t, of.parent...)
		for key, value := range lookup(parent, "runtimes") {
			if slices.ContainsFunc(of.programs(value), ours) {
				names = append(names, key)
			}
		}
		if set, ok := parent[of.chosen].(string); ok {
			def = set
		}
	}
	byPath := path.IsAbs(def) && ours(def)
	s.Known = len(names) > 0 || byPath
	s.Default = slices.Contains(names, def) || byPath
	return s, nil
}

// tables is where an engine's TOML has its low-level runtimes.
type tables struct {
	parent   []string
	chosen   string // the key in parent that names the default
	programs func(value any) []string
}

func crioTables() tables {
	return tables{[]string{"crio", "runtime"}, "default_runtime", func(value any) []string {
		t, _ := value.(map[string]any)
		program, _ := t["runtime_path"].(string)
		return []string{program}
	}}
}

func podmanTables() tables {
	return tables{[]string{"engine"}, "runtime", func(value any) []string {
		var all []string
		list, _ := value.([]any)
		for _, one := range list {
			if program, ok := one.(string); ok {
				all = append(all, program)
			}
		}
		return all
	}}
}
