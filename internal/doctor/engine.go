package doctor

import (
	"fmt"
	"strings"

	"github.com/hatchdog/hatchdog/internal/engine"
)

func runtimes(h Host) []Finding {
	if len(h.Runtimes) == 0 {
		return []Finding{{
			Check: "low-level runtime", Level: Fail, Found: "none",
			Means: "every container is refused", Remedy: "install runc, or name one: runtime.path in the policy",
		}}
	}
	var all []Finding
	for _, r := range h.Runtimes {
		f := Finding{Check: "low-level runtime " + r.Path, Level: OK, Found: r.Name + " " + r.Version}
		if r.Err != nil {
			f.Level, f.Means, f.Remedy = Warn, r.Err.Error(), "update it"
			if r.Used {
				f.Level = Fail
			}
		}
		if r.Name == "crun" && r.Err == nil {
			f = crun(h, r, f)
		}
		all = append(all, f)
		if r.Err == nil {
			all = append(all, release(f.Check, r.Name+" "+r.Version, engine.Runtimes()[r.Name].Other(r.Version))...)
		}
	}
	return all
}

// release is a line where a program is of another release than hatchdog was tried
// with.
func release(check, found, other string) []Finding {
	if other == "" {
		return nil
	}
	remedy := "update it"
	if strings.HasPrefix(other, "newer") {
		remedy = "look for a newer hatchdog"
	}
	return []Finding{{Check: check, Level: Warn, Found: found + " is " + other, Means: "it is used all the same", Remedy: remedy}}
}

// crun starts a container with hatchdog in 0.4 to 0.7 of the time that runc takes
// (docs/performance.md).
func crun(h Host, r Runtime, f Finding) Finding {
	switch {
	case h.Hybrid && r.Used:
		f.Level, f.Means = Fail, "it starts no container where control groups of both versions are mounted"
		f.Remedy = "name runc in runtime.path of the policy, or boot with systemd.unified_cgroup_hierarchy=1"
	case h.Hybrid:
		f.Found += ", of no use where control groups of both versions are mounted"
	case !r.Used:
		f.Found += ", starts containers in about half of runc's time: runtime.path in the policy"
	}
	return f
}

func engines(h Host) []Finding {
	if len(h.Engines) == 0 {
		return []Finding{{Check: "engines", Level: Warn, Found: "none", Means: "nothing calls hatchdog", Remedy: "install Docker or containerd"}}
	}
	var all []Finding
	for _, e := range h.Engines {
		all = append(all, route(e))
		if c, ok := engine.ConfigOf(e.Name); ok {
			all = append(all, release(e.Name, e.Name+" "+e.Version, c.Tried.Other(e.Version))...)
		}
		if e.Err != nil || !e.Known || e.NoCRI {
			continue
		}
		if e.Name == "docker" && !e.BuildKit {
			all = append(all, Finding{
				Check: "docker build", Level: Warn, Found: "RUN steps are not routed through hatchdog",
				Means: "they run under runc with Docker's own defaults", Remedy: "hatchctl install docker --set-default; systemctl daemon-reload; systemctl restart docker",
			})
		}
		if e.Name == "containerd" && !e.Annotations {
			all = append(all, Finding{
				Check: "containerd annotations", Level: Warn, Found: "hatchdog.dev/* is not passed through",
				Means: "a pod cannot choose a stricter profile", Remedy: "hatchctl install containerd",
			})
		}
	}
	return all
}

func route(e Engine) Finding {
	f := Finding{Check: e.Name, Level: OK, Found: "hatchdog is its default runtime"}
	switch {
	case e.Err != nil:
		f.Level, f.Found = Warn, fmt.Sprintf("%s cannot be read: %v", e.Config, e.Err)
		f.Means = "whether its containers run under hatchdog is not known"
	case e.NoCRI:
		f.Found = "its CRI plugin is disabled: it runs what Docker and others name"
	case !e.Known:
		f.Level, f.Found, f.Means = Fail, "it does not know hatchdog", "its containers run without"
		f.Remedy = "hatchctl install " + e.Name
	case !e.Default:
		f.Level, f.Found = Warn, "it knows hatchdog, its default is another"
		f.Means = "containers that do not name the runtime run without"
		f.Remedy = fmt.Sprintf("hatchctl install %s --set-default", e.Name)
	}
	return f
}
