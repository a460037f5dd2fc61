package doctor

import "github.com/hatchdog/hatchdog/internal/install"

// probeEngines finds the engines by their programs and configuration. root is
// "/" but in tests.
func probeEngines(root string) []Engine {
	var all []Engine
	for _, e := range install.Engines() {
		if found, there := e.Find(install.Place{Root: root}); there {
			all = append(all, Engine{e.Config().Name, found})
		}
	}
	return all
}
