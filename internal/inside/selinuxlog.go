package inside

import (
	"regexp"
	"strconv"
)

// vector is the beginning of a denial by SELinux, which shares its type of record
// with AppArmor (kernel, security/selinux/avc.c).
var vector = regexp.MustCompile(`^(?:msg=)?audit\([^)]*\): avc:\s+denied\s+\{ ([a-z0-9_ ]+) \} for `)

// selinux reads the words of a denial by SELinux. One that was logged and let
// through, since the policy or the type is permissive, is none.
func (d Denial) selinux(permissions string, words map[string]string) (Denial, bool) {
	pid, err := strconv.Atoi(words["pid"])
	if err != nil || words["permissive"] == "1" || words["scontext"] == "" {
		return d, false
	}
	d.Module, d.Pid, d.UID, d.Command = "selinux", pid, nobody, words["comm"]
	d.Action, d.Profile, d.Target, d.Class = permissions, words["scontext"], words["tcontext"], words["tclass"]
	d.Name = words["path"]
	if d.Name == "" {
		d.Name = words["name"]
	}
	return d, true
}
