package integration

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// doctor is what is said of a check before and after somebody follows the remedy.
func (o *ordinary) doctor(t *testing.T, before string, env ...string) (said string, code int) {
	t.Helper()
	cmd, out, errs := o.command("hatchctl doctor --sandbox")
	cmd.Env = append(append(cmd.Env, "BEFORE="+before), env...)
	_ = cmd.Run()
	must(t, os.RemoveAll(o.dir+"/net"))
	return out.String() + errs.String(), cmd.ProcessState.ExitCode()
}

// The doctor finds what is missing, and its remedies help.
func TestSandboxDoctor(t *testing.T) {
	o := newOrdinary(t, true)
	const noIDs = `: >"$D/subids"; `
	for name, c := range map[string]struct{ broken, said, remedy, mended string }{
		"subordinate ids": {noIDs, "warn  subordinate ids: none for this user", `d=$(mktemp -d); mkdir "$d/etc"; cp "$D/passwd" "$d/etc/passwd"; : >"$d/etc/subuid"; : >"$d/etc/subgid"
			usermod --prefix "$d" --add-subuids 100000-165535 --add-subgids 100000-165535 someone; cat "$d/etc/subuid" >"$D/subids"; rm -r "$d"; `, "ok    subordinate ids"},
		"a device":       {`chmod 0600 /dev/net/tun; `, "warn  network: /dev/net/tun", `chmod 0666 /dev/net/tun; `, "ok    network"},
		"parts of /proc": {`mount --bind /dev/null /proc/kallsyms; `, "fail  /proc: mounts lie over parts of it (/proc/kallsyms)", `umount /proc/kallsyms; `, "ok    /proc"},
		"a runtime":      {`rm "$D/bin/runc"; ln -s /bin/false "$D/bin/runc"; `, "fail  low-level runtime", `rm "$D/bin/runc"; cp ` + pinnedRunc(t) + ` "$D/bin/runc"; `, "ok    low-level runtime"},
		"a place":        {`chmod 0777 "$D/run"; `, "fail  place of boxes", `chmod 0700 "$D/run"; `, "ok    place of boxes"},
	} {
		if said, _ := o.doctor(t, c.broken); !strings.Contains(said, c.said) {
			t.Errorf("%s: no %q in\n%s", name, c.said, said)
		}
		if said, _ := o.doctor(t, c.broken+c.remedy); !strings.Contains(said, c.mended) {
			t.Errorf("%s: no %q in\n%s", name, c.mended, said)
		}
	}
	if own := ownGroups(t); len(own) > 0 {
		if said, _ := o.doctor(t, ""); !strings.Contains(said, "warn  limits: no control group of yours has pids, memory, cpu") {
			t.Error(said)
		}
		if said, code := o.doctor(t, "", "GROUPS_V1="+strings.Join(own, " ")); strings.Contains(said, "warn") || code != 0 {
			t.Errorf("%d\n%s", code, said)
		}
	}
	// What it calls a failure is one.
	cmd, out, errs := o.command("hatchctl run -- true")
	cmd.Env = append(cmd.Env, "BEFORE=mount --bind /dev/null /proc/kallsyms")
	if _ = cmd.Run(); cmd.ProcessState.ExitCode() != 125 {
		t.Errorf("%d\n%s%s", cmd.ProcessState.ExitCode(), out, errs)
	}
	must(t, os.RemoveAll(o.dir+"/net"))
}

// In a user namespace the number of those below it can be set without a change of
// the host's.
func TestSandboxDoctorFindsNoUserNamespaces(t *testing.T) {
	o := newOrdinary(t, true)
	for most, want := range map[string]string{"0": "fail  user namespaces: user.max_user_namespaces is 0", "15000": "ok    user namespaces"} {
		cmd := exec.Command("sh", "-c", "sysctl -qw user.max_user_namespaces="+most+` && mount --bind "$D/passwd" /etc/passwd && cd "$D" && exec setpriv --reuid 54321 --regid 54321 --clear-groups env PATH="$D/bin:$PATH" HOME="$D/home" XDG_RUNTIME_DIR="$D/run" sh -c 'hatchctl doctor --sandbox; hatchctl run -- echo fine'`)
		ids := []syscall.SysProcIDMap{{Size: 65536}}
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, UidMappings: ids, GidMappings: ids, GidMappingsEnableSetgroups: true,
		}
		cmd.Env = append(os.Environ(), "D="+o.dir)
		out, _ := cmd.CombinedOutput()
		if !strings.Contains(string(out), want) || strings.Contains(string(out), "fine") != (most != "0") || most == "0" && !strings.Contains(string(out), "doctor --sandbox") {
			t.Errorf("%s: no %q in\n%s", most, want, out)
		}
	}
}

// With --strict a box has all, or is not started.
func TestStrictBox(t *testing.T) {
	o := newOrdinary(t, true)
	if out, errs, code := o.sh(t, "hatchctl run --strict -- echo started"); code != 125 || out != "" || !strings.Contains(errs, "--strict: limits: no control group of yours") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	if own := ownGroups(t); len(own) > 0 {
		cmd, out, errs := o.command("hatchctl run --strict -- echo started; chmod 0600 \"$XDG_RUNTIME_DIR\"; PATH=${PATH%%:*} hatchctl run --strict --allow 192.0.2.1:80 -- echo again")
		cmd.Env = append(cmd.Env, "GROUPS_V1="+strings.Join(own, " "))
		if _ = cmd.Run(); out.String() != "started\n" || !strings.Contains(errs.String(), "--strict: network") {
			t.Errorf("%s%s", out, errs)
		}
		must(t, os.RemoveAll(o.dir+"/net"))
	}
	b := newBoxed(t)
	if out, errs, code := b.sh(t, "echo root", "--strict"); code != 0 || out != "root\n" {
		t.Errorf("root's: %d %s%s", code, out, errs)
	}
}
