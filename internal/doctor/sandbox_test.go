package doctor

import (
	"errors"
	"strings"
	"testing"
)

func whole() Sandbox {
	return Sandbox{
		User: 1000, UserNamespaces: Answer{Yes: true}, SubordinateIDs: true, Held: []string{"pids", "memory", "cpu"}, WayOut: true, CgroupV2: true,
		Runtimes: []Runtime{{Name: "runc", Version: "1.5.2", Path: "/usr/bin/runc", Used: true}},
	}
}

func TestExamineSandbox(t *testing.T) {
	if got := ExamineSandbox(whole()); Worst(got) != OK || len(got) != 8 {
		t.Errorf("%+v", got)
	}
	root := Sandbox{UserNamespaces: Answer{Yes: true}, Held: whole().Held, WayOut: true, Runtimes: whole().Runtimes}
	if got := ExamineSandbox(root); Worst(got) != OK {
		t.Errorf("root: %+v", got)
	}
	no := Answer{}
	for name, c := range map[string]struct {
		change func(*Sandbox)
		level  Level
		remedy string
	}{
		"no runtime":         {func(s *Sandbox) { s.Runtimes = nil }, Fail, "apt-get install runc"},
		"an old runtime":     {func(s *Sandbox) { s.Runtimes[0].Err = errors.New("it is old") }, Fail, "newer"},
		"another's place":    {func(s *Sandbox) { s.Place = errors.New("not ours") }, Fail, "XDG_RUNTIME_DIR"},
		"a bad policy":       {func(s *Sandbox) { s.Policy = errors.New("bad") }, Fail, "hatchctl policy check"},
		"Debian's switch":    {func(s *Sandbox) { s.UserNamespaces, s.Clone = no, "0" }, Fail, "kernel.unprivileged_userns_clone=1"},
		"none may be made":   {func(s *Sandbox) { s.UserNamespaces, s.Most, s.Clone = no, "0", "1" }, Fail, "user.max_user_namespaces=15000"},
		"Ubuntu's AppArmor":  {func(s *Sandbox) { s.UserNamespaces, s.Restricted = no, "1" }, Fail, "apparmor_parser -r"},
		"a container":        {func(s *Sandbox) { s.UserNamespaces, s.Filtered, s.Restricted = no, true, "0" }, Fail, "seccomp=unconfined"},
		"a kernel without":   {func(s *Sandbox) { s.UserNamespaces = no }, Fail, "CONFIG_USER_NS"},
		"a masked /proc":     {func(s *Sandbox) { s.Masked = []string{"/proc/kcore"} }, Fail, "systempaths=unconfined"},
		"no newuidmap":       {func(s *Sandbox) { s.Mappers = []string{"newuidmap"} }, Warn, "apt-get install uidmap"},
		"no subordinate ids": {func(s *Sandbox) { s.SubordinateIDs = false }, Warn, "usermod --add-subuids"},
		"no limits":          {func(s *Sandbox) { s.Held = []string{"memory"} }, Warn, "systemd-run --user --scope"},
		"no limits, old":     {func(s *Sandbox) { s.Held, s.CgroupV2 = nil, false }, Warn, "version 2"},
		"root's limits":      {func(s *Sandbox) { s.User, s.Held = 0, []string{"pids"} }, Fail, "cgroup_enable"},
		"no way out":         {func(s *Sandbox) { s.WayOut = false }, Warn, "slirp4netns"},
		"no device":          {func(s *Sandbox) { s.Tun = errors.New("closed") }, Warn, "chmod 0666"},
	} {
		s := whole()
		c.change(&s)
		got := ExamineSandbox(s)
		bad := 0
		for _, f := range got {
			if f.Level == OK {
				continue
			}
			if bad++; f.Level != c.level || !strings.Contains(f.Remedy, c.remedy) || f.Means == "" || f.Found == "" {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if bad != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
