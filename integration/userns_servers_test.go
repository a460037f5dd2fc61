package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Real servers in a user namespace, on directories of the host that belong to
// root and to another user, started twice: what they leave belongs on disk to
// the users that they have inside.
func TestUserNSServersOnBinds(t *testing.T) {
	eachDocker(t, userNSServersOnBinds)
}

func userNSServersOnBinds(t *testing.T, d *docker) {
	d.heldTo(t, "profile: p\nprofiles: {p: {extends: builtin/restricted, userns: {mode: required}}}\n")
	d.importServers(t)
	for name, s := range servers {
		for owner, uid := range map[string]int{"root": 0, "another": 1000} {
			t.Run(name+" of "+owner, func(t *testing.T) {
				dir := filepath.Join(d.dir, "volume-"+name+"-"+owner)
				must(t, os.Mkdir(dir, 0o755))
				must(t, os.Chown(dir, uid, uid))
				id := d.background(t, "-v", dir+":"+s.volume, "servers", "/bin/sh", "-ec", s.entry)
				for range 2 {
					mappedRange(t, d.hostPid(t, id))
					var out string
					waitFor(t, name+" to answer", func() bool {
						var code int
						out, code = d.try(t, "exec", id, "/bin/sh", "-c", s.ask)
						return code == 0 && strings.Contains(out, s.answer) && strings.TrimSpace(out) != ""
					})
					d.do(t, "restart", "-t", "5", id)
				}
				if name != "postgres" {
					return
				}
				if got := ownerOf(t, dir+"/PG_VERSION"); !strings.HasPrefix(got, s.user+":") {
					t.Errorf("the database belongs to %s on disk, want %s", got, s.user)
				}
			})
		}
	}
}
