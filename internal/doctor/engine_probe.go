package doctor

import "github.com/hatchdog/hatchdog/internal/install"

// probeEngines finds the engines by their programs and configuration. root is
// "/" but in tests.
func probeEngines(root string) []Engine {
	var all []Engine
	for _, e := range install.Engines() {
		p := install.Place{Root: root}
		if found, there := e.Find(p); there {
			c := e.Config()
			all = append(all, Engine{Name: c.Name, Version: install.VersionOf(c, p), Found: found})
		}
	}
	return all
}
