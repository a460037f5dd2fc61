package enter

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Range are subordinate ids of a user.
type Range struct{ Base, Size uint64 }

// Subordinate are the ids that a file (/etc/subuid, /etc/subgid) gives a user, by
// name or number (subuid(5)). The first line counts.
func Subordinate(file string, uid int, name string) (Range, bool) {
	f, err := os.Open(file)
	if err != nil {
		return Range{}, false
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		parts := strings.Split(lines.Text(), ":")
		if len(parts) != 3 || parts[0] != strconv.Itoa(uid) && (name == "" || parts[0] != name) {
			continue
		}
		base, err := strconv.ParseUint(parts[1], 10, 32)
		size, errSize := strconv.ParseUint(parts[2], 10, 32)
		if err == nil && errSize == nil && base > 0 && size > 0 {
			return Range{base, size}, true
		}
	}
	return Range{}, false
}

// Name is the account of a user, "" where there is none.
func Name(uid int) string {
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if parts := strings.Split(lines.Text(), ":"); len(parts) == 7 && parts[2] == strconv.Itoa(uid) {
			return parts[0]
		}
	}
	return ""
}

// Mapper is newuidmap or newgidmap, which write what an ordinary user may not.
func Mapper(name string) (string, error) { return exec.LookPath(name) }

// mapIDs gives a user namespace its ids: ours as root's, and the subordinate ones
// behind it where all that takes is there.
func mapIDs(pid int) (message byte, err error) {
	uid, gid := os.Geteuid(), os.Getegid()
	name := Name(uid)
	groups, ok := Subordinate("/etc/subgid", uid, name)
	if ok && newmap("newgidmap", pid, gid, groups) == nil {
		users, ok := Subordinate("/etc/subuid", uid, name)
		if !ok || newmap("newuidmap", pid, uid, users) != nil {
			err = one(pid, "uid_map", uid)
		}
		return without, err
	}
	// Who maps groups alone must give up setgroups first (user_namespaces(7)).
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/setgroups", pid), []byte("deny"), 0); err != nil {
		return 0, fmt.Errorf("setgroups of the user namespace: %w", err)
	}
	if err := one(pid, "gid_map", gid); err != nil {
		return 0, err
	}
	return withGroups, one(pid, "uid_map", uid)
}

func newmap(program string, pid, id int, r Range) error {
	at, err := Mapper(program)
	if err != nil {
		return err
	}
	return exec.Command(at, strconv.Itoa(pid), "0", strconv.Itoa(id), "1", "1", strconv.FormatUint(r.Base, 10), strconv.FormatUint(r.Size, 10)).Run()
}

func one(pid int, file string, id int) error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, file), fmt.Appendf(nil, "0 %d 1\n", id), 0); err != nil {
		return fmt.Errorf("%s of the user namespace: %w", file, err)
	}
	return nil
}
