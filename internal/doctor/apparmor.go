package doctor

import (
	"fmt"
	"strings"

	"github.com/hatchdog/hatchdog/internal/host"
	profiles "github.com/hatchdog/hatchdog/profiles/apparmor"
)

// AppArmor is what the kernel has of hatchdog's profiles.
type AppArmor struct {
	host.Apparmor
	// Parser is true where a profile that is missing can be loaded.
	Parser bool
}

// appArmor is nothing to say on a host without: the security modules say that.
func appArmor(h Host) []Finding {
	if !h.AppArmor.Enabled && h.AppArmor.Err == "" {
		return nil
	}
	const means = "a container that is to run under one is refused, or runs without, as the policy says"
	f := Finding{Check: "AppArmor profiles", Level: OK}
	var enforced, other, missing []string
	for _, name := range profiles.Names() {
		switch mode := h.AppArmor.Modes[name]; {
		case h.AppArmor.Enforced(name):
			enforced = append(enforced, name)
		case mode != "":
			other = append(other, name+" ("+mode+")")
		default:
			missing = append(missing, name)
		}
	}
	f.Found = fmt.Sprintf("%d of %d are enforced", len(enforced), len(profiles.Names()))
	switch {
	case h.AppArmor.Err != "":
		f.Level, f.Found = Warn, "cannot be told: "+h.AppArmor.Err
		f.Means, f.Remedy = means, "mount -t securityfs securityfs /sys/kernel/security"
	case len(other) > 0:
		f.Level, f.Found = Warn, f.Found+"; not "+strings.Join(other, ", ")
		f.Means, f.Remedy = means, "hatchctl apparmor load"
	case len(missing) > 0 && !h.AppArmor.Parser:
		f.Level, f.Found = Warn, f.Found+"; apparmor_parser, which loads the others, is missing"
		f.Means, f.Remedy = means, "install the package apparmor"
	case len(missing) > 0:
		f.Found += "; the others are loaded when a container needs them"
	}
	return []Finding{f}
}
