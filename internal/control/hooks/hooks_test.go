package hooks

import (
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func TestApply(t *testing.T) {
	facts := host.Facts{Hooks: map[string]host.HookFile{
		"/proc/7/exe":  {Resolved: "/usr/sbin/dockerd", Dockerd: true},
		"/proc/8/exe":  {Resolved: "/usr/sbin/dockerd"}, // a container's program of that name
		"/opt/listed":  {Resolved: "/opt/listed", RootOnly: true},
		"/opt/link":    {Resolved: "/opt/other", RootOnly: true},
		"/opt/open":    {Resolved: "/opt/open"},
		"/opt/missing": {Err: "no such file"},
		"/proc/9/exe":  {Resolved: "/opt/listed", RootOnly: true, Linked: true},
	}}
	docker := []string{"libnetwork-setkey", "-exec-root=/run/docker", "own", "0a1b2c"}
	facts.ID = "own"
	const step = "f5lxx1zz5pnorynqglhzmsp33"
	for name, tc := range map[string]struct {
		stage string
		hook  specs.Hook
		want  string
	}{
		"docker":                           {"prestart", specs.Hook{Path: "/proc/7/exe", Args: docker}, ""},
		"docker, another argument":         {"prestart", specs.Hook{Path: "/proc/7/exe", Args: []string{"x"}}, "does not list"},
		"docker, for another":              {"prestart", specs.Hook{Path: "/proc/7/exe", Args: []string{docker[0], docker[1], "other", docker[3]}}, "does not list"},
		"docker, a step's for a container": {"prestart", specs.Hook{Path: "/proc/7/exe", Args: []string{docker[0], docker[1], step, docker[3]}}, "does not list"},
		"docker, more arguments":           {"prestart", specs.Hook{Path: "/proc/7/exe", Args: append(slices.Clone(docker), "x")}, "does not list"},
		"docker, another root":             {"prestart", specs.Hook{Path: "/proc/7/exe", Args: []string{docker[0], "--debug", "own", docker[3]}}, "does not list"},
		"docker, another socket":           {"prestart", specs.Hook{Path: "/proc/7/exe", Args: []string{docker[0], docker[1], "own", "../x"}}, "does not list"},
		"docker, another stage":            {"poststop", specs.Hook{Path: "/proc/7/exe", Args: docker}, "does not list"},
		"named like docker":                {"prestart", specs.Hook{Path: "/proc/8/exe", Args: docker}, "does not list"},
		"listed":                           {"poststop", specs.Hook{Path: "/opt/listed"}, ""},
		"its own name":                     {"poststop", specs.Hook{Path: "/opt/listed", Args: []string{"listed"}}, ""},
		"its own path":                     {"poststop", specs.Hook{Path: "/opt/listed", Args: []string{"/opt/listed", "prestart", "--link=a::b"}}, ""},
		"another name":                     {"createRuntime", specs.Hook{Path: "/opt/listed", Args: []string{"sh"}}, "arguments"},
		"its name as an argument":          {"createRuntime", specs.Hook{Path: "/opt/listed", Args: []string{"listed", "listed"}}, "arguments"},
		"an argument":                      {"createContainer", specs.Hook{Path: "/opt/listed", Args: []string{"listed", "-c"}}, "arguments"},
		"no prefix":                        {"createContainer", specs.Hook{Path: "/opt/listed", Args: []string{"listed", "prestarts"}}, "arguments"},
		"an empty argument":                {"prestart", specs.Hook{Path: "/opt/listed", Args: []string{"listed", ""}}, "arguments"},
		"a timeout":                        {"prestart", specs.Hook{Path: "/opt/listed", Timeout: new(1)}, ""},
		"no time":                          {"prestart", specs.Hook{Path: "/opt/listed", Timeout: new(0)}, "timeout"},
		"less than no time":                {"poststop", specs.Hook{Path: "/opt/listed", Timeout: new(-1)}, "timeout"},
		"of a process":                     {"createRuntime", specs.Hook{Path: "/proc/9/exe"}, ""},
		"of a process, later":              {"poststop", specs.Hook{Path: "/proc/9/exe"}, "link of procfs"},
		"a path in the container":          {"startContainer", specs.Hook{Path: "/opt/unknown"}, ""},
		"link to another":                  {"poststart", specs.Hook{Path: "/opt/link"}, "does not list"},
		"writable":                         {"createContainer", specs.Hook{Path: "/opt/open"}, "others than root"},
		"missing":                          {"createRuntime", specs.Hook{Path: "/opt/missing"}, "cannot be read"},
		"nobody looked":                    {"createRuntime", specs.Hook{Path: "/opt/x"}, "cannot be read"},
	} {
		p := &policy.Profile{
			OnExcess: map[string]policy.Excess{policy.Hooks: policy.Refuse},
			Hooks:    policy.HookRules{Allow: []string{"/opt/listed", "/opt/open"}, Args: []string{"prestart", "--link=*"}, DockerNetwork: true},
		}
		s := &specs.Spec{Hooks: &specs.Hooks{}}
		list := []specs.Hook{tc.hook}
		switch tc.stage {
		case "prestart":
			s.Hooks.Prestart = list //nolint:staticcheck // deprecated, but Docker uses it and runc runs it
		case "createRuntime":
			s.Hooks.CreateRuntime = list
		case "createContainer":
			s.Hooks.CreateContainer = list
		case "startContainer":
			s.Hooks.StartContainer = list
		case "poststart":
			s.Hooks.Poststart = list
		case "poststop":
			s.Hooks.Poststop = list
		}
		_, err := New(p, facts).Apply(s)
		refusals, _ := control.Refusals(err)
		if (tc.want == "") != (len(refusals) == 0) || tc.want != "" && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		p.OnExcess[policy.Hooks] = policy.Tighten
		changes, err := New(p, facts).Apply(s)
		if err != nil || (tc.want == "") != (len(changes) == 0) {
			t.Errorf("%s, tightened: %v %v", name, changes, err)
		}
		if again, _ := New(p, facts).Apply(s); len(again) != 0 {
			t.Errorf("%s: not idempotent", name)
		}
	}
}

// The network of a step of a build has an id of its own, which is no container's.
func TestNetworkOfAStep(t *testing.T) {
	const step, other = "f5lxx1zz5pnorynqglhzmsp33", "0123456789abcdefghijklmno"
	container := strings.Repeat("0a", 32)
	for _, tc := range []struct {
		id, network string
		want        bool
	}{
		{step, other, true},
		{step, step, true},
		{step, container, false},
		{step, other[1:], false},
		{step, "../" + other[3:], false},
		{step, strings.ToUpper(other), false},
		{container, other, false},
	} {
		facts := host.Facts{ID: tc.id, Hooks: map[string]host.HookFile{"/proc/7/exe": {Resolved: "/usr/sbin/dockerd", Dockerd: true}}}
		p := &policy.Profile{OnExcess: map[string]policy.Excess{policy.Hooks: policy.Refuse}, Hooks: policy.HookRules{DockerNetwork: true}}
		s := &specs.Spec{Hooks: &specs.Hooks{Prestart: []specs.Hook{{ //nolint:staticcheck // deprecated, but Docker uses it and runc runs it
			Path: "/proc/7/exe", Args: []string{"libnetwork-setkey", "-exec-root=/run/docker", tc.network, "0a1b2c"},
		}}}}
		if _, err := New(p, facts).Apply(s); (err == nil) != tc.want {
			t.Errorf("%s in the network of %s: %v", tc.id, tc.network, err)
		}
	}
}

// What the request gives a listed hook is the host's root's environment.
func TestEnvironment(t *testing.T) {
	facts := host.Facts{Hooks: map[string]host.HookFile{"/opt/listed": {Resolved: "/opt/listed", RootOnly: true}}}
	p := &policy.Profile{Hooks: policy.HookRules{Allow: []string{"/opt/listed"}, Env: []string{"NVIDIA_*", "HOME"}}}
	for name, tc := range map[string]struct {
		env, want []string
		inside    []string // of a createContainer hook
	}{
		"none":         {nil, nil, []string{plainPath}},
		"listed":       {[]string{"NVIDIA_X=1", "HOME=/"}, []string{"NVIDIA_X=1", "HOME=/"}, []string{"NVIDIA_X=1", "HOME=/"}},
		"shell":        {[]string{"BASH_ENV=/x", "HOME=/"}, []string{"HOME=/"}, []string{"HOME=/"}},
		"loader":       {[]string{"LD_PRELOAD=/x"}, nil, []string{plainPath}},
		"search path":  {[]string{"PATH=/x"}, nil, []string{plainPath}},
		"function":     {[]string{"BASH_FUNC_id%%=() { x; }"}, nil, []string{plainPath}},
		"not a prefix": {[]string{"HOMEPATH=/x", "XNVIDIA_=1"}, nil, []string{plainPath}},
		"no value":     {[]string{"HOME"}, nil, []string{plainPath}},
	} {
		hook := []specs.Hook{{Path: "/opt/listed", Env: tc.env}}
		s := &specs.Spec{Hooks: &specs.Hooks{
			CreateRuntime: slices.Clone(hook), CreateContainer: slices.Clone(hook), Poststop: slices.Clone(hook), StartContainer: slices.Clone(hook),
		}}
		changes, err := New(p, facts).Apply(s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for stage, got := range map[string][]string{"createRuntime": s.Hooks.CreateRuntime[0].Env, "poststop": s.Hooks.Poststop[0].Env} {
			if !slices.Equal(got, tc.want) {
				t.Errorf("%s: %s has %q", name, stage, got)
			}
		}
		if got := s.Hooks.CreateContainer[0].Env; !slices.Equal(got, tc.inside) {
			t.Errorf("%s: createContainer has %q", name, got)
		}
		if got := s.Hooks.StartContainer[0].Env; !slices.Equal(got, tc.env) {
			t.Errorf("%s: startContainer has %q", name, got)
		}
		for _, ch := range changes {
			if strings.Contains(ch.Before+ch.After, "=") {
				t.Errorf("%s: a value is told: %v", name, ch)
			}
		}
		if again, err := New(p, facts).Apply(s); len(again) != 0 || err != nil {
			t.Errorf("%s: not idempotent: %v %v", name, again, err)
		}
	}
}
