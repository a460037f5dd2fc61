package install

import (
	"testing"

	"github.com/hatchdog/hatchdog/internal/engine"
)

func TestMergedState(t *testing.T) {
	for name, c := range map[string]struct {
		engine         string
		files          []string
		known, chosen  bool
		cannotBeParsed bool
	}{
		"none":                    {engine: engine.CRIOName, files: []string{""}},
		"crio":                    {engine: engine.CRIOName, files: []string{"", "[crio.runtime.runtimes.hatchdog]\nruntime_path = '/usr/local/bin/hatchdog'\n"}, known: true},
		"crio, another name":      {engine: engine.CRIOName, files: []string{"[crio.runtime]\ndefault_runtime = 'tight'\nruntimes = {tight = {runtime_path = \"/opt/hatchdog\"}}\n"}, known: true, chosen: true},
		"crio, a later default":   {engine: engine.CRIOName, files: []string{"[crio.runtime]\ndefault_runtime='h'\n[crio.runtime.runtimes.h]\nruntime_path='/x/hatchdog'\n", "[crio.runtime]\ndefault_runtime='runc'\n"}, known: true},
		"crio, a name alone":      {engine: engine.CRIOName, files: []string{"[crio.runtime]\ndefault_runtime = 'hatchdog'\n"}},
		"podman":                  {engine: engine.PodmanName, files: []string{"[engine]\nruntime = \"hatchdog\"\n[engine.runtimes]\nhatchdog = [ # ours\n  \"/usr/bin/hatchdog\",\n]\n"}, known: true, chosen: true},
		"podman, by its path":     {engine: engine.PodmanName, files: []string{"[engine]\nruntime = \"/usr/bin/hatchdog\"\n"}, known: true, chosen: true},
		"podman, in a comment":    {engine: engine.PodmanName, files: []string{"[engine]\n# runtime = \"/usr/bin/hatchdog\"\n"}},
		"podman, something else":  {engine: engine.PodmanName, files: []string{"[containers]\nlabel = [\"/usr/bin/hatchdog\"]\n"}},
		"podman, not to be read":  {engine: engine.PodmanName, files: []string{"[engine\n"}, cannotBeParsed: true},
		"crio, of another engine": {engine: engine.CRIOName, files: []string{"[engine.runtimes]\nhatchdog = ['/usr/bin/hatchdog']\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			var files [][]byte
			for _, f := range c.files {
				files = append(files, []byte(f))
			}
			s, err := MergedState(c.engine, files...)
			if (err != nil) != c.cannotBeParsed || s.Known != c.known || s.Default != c.chosen {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}
