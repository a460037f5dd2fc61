package install

import "testing"

func TestMergedState(t *testing.T) {
	for name, c := range map[string]struct {
		of             tables
		files          []string
		known, chosen  bool
		cannotBeParsed bool
	}{
		"none":                    {of: crioTables(), files: []string{""}},
		"crio":                    {of: crioTables(), files: []string{"", "[crio.runtime.runtimes.hatchdog]\nruntime_path = '/usr/local/bin/hatchdog'\n"}, known: true},
		"crio, another name":      {of: crioTables(), files: []string{"[crio.runtime]\ndefault_runtime = 'tight'\nruntimes = {tight = {runtime_path = \"/opt/hatchdog\"}}\n"}, known: true, chosen: true},
		"crio, a later default":   {of: crioTables(), files: []string{"[crio.runtime]\ndefault_runtime='h'\n[crio.runtime.runtimes.h]\nruntime_path='/x/hatchdog'\n", "[crio.runtime]\ndefault_runtime='runc'\n"}, known: true},
		"crio, a name alone":      {of: crioTables(), files: []string{"[crio.runtime]\ndefault_runtime = 'hatchdog'\n"}},
		"podman":                  {of: podmanTables(), files: []string{"[engine]\nruntime = \"hatchdog\"\n[engine.runtimes]\nhatchdog = [ # ours\n  \"/usr/bin/hatchdog\",\n]\n"}, known: true, chosen: true},
		"podman, by its path":     {of: podmanTables(), files: []string{"[engine]\nruntime = \"/usr/bin/hatchdog\"\n"}, known: true, chosen: true},
		"podman, in a comment":    {of: podmanTables(), files: []string{"[engine]\n# runtime = \"/usr/bin/hatchdog\"\n"}},
		"podman, something else":  {of: podmanTables(), files: []string{"[containers]\nlabel = [\"/usr/bin/hatchdog\"]\n"}},
		"podman, not to be read":  {of: podmanTables(), files: []string{"[engine\n"}, cannotBeParsed: true},
		"crio, of another engine": {of: crioTables(), files: []string{"[engine.runtimes]\nhatchdog = ['/usr/bin/hatchdog']\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			var files [][]byte
			for _, f := range c.files {
				files = append(files, []byte(f))
			}
			s, err := mergedState(c.of, files...)
			if (err != nil) != c.cannotBeParsed || s.Known != c.known || s.Default != c.chosen {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}
