package learn

import (
	"path"
	"slices"
	"strings"
)

// inMemory are the places that get a file system in memory where the root is
// read-only (builtin/untrusted).
func inMemory() []string { return []string{"/tmp", "/run", "/var/tmp", "/var/cache", "/var/log"} }

// files makes the root read-only where all that was written lies in places that
// may be in memory, and closes the bind mounts that nobody wrote to.
func (p *Profile) files(d *Data) {
	p.ReadOnly = d.Runs > 0 && d.Lost == 0
	for _, dir := range sorted(d.Writes) {
		line := Line{Value: dir, Seen: d.Writes[dir]}
		at := slices.IndexFunc(inMemory(), func(m string) bool { return dir == m || strings.HasPrefix(dir, m+"/") })
		if at < 0 {
			p.ReadOnly = false
			p.Root = append(p.Root, line)
			continue
		}
		place := inMemory()[at]
		if i := slices.IndexFunc(p.Tmpfs, func(l Line) bool { return l.Value == place }); i >= 0 {
			p.Tmpfs[i].Seen = p.Tmpfs[i].Seen.with(line.Seen)
			continue
		}
		p.Tmpfs = append(p.Tmpfs, Line{Value: place, Seen: line.Seen})
	}
	if d.Lost > 0 {
		return
	}
	unknown := d.Writes[""].Count > 0
	for _, at := range slices.Sorted(keys(d.Mounts)) {
		if d.Volumes[at].Count == 0 && !unknown && isPath(at) {
			p.Closed = append(p.Closed, at)
		}
	}
}

// isPath is true for a clean absolute path that a policy can hold as it is.
func isPath(s string) bool {
	return strings.HasPrefix(s, "/") && path.Clean(s) == s && len(s) < textMost && !strings.ContainsFunc(s, func(r rune) bool {
		const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@"
		return !strings.ContainsRune(plain, r)
	})
}

// devices are told, not granted: which a container has is what its request gives.
func (p *Profile) devices(d *Data) {
	for _, key := range sorted(d.Devices) {
		if !everybodys(key) {
			p.Devices = append(p.Devices, Line{Value: key, Seen: d.Devices[key]})
		}
	}
}

// everybodys are the devices that every container has (config-linux.md, Default
// Devices), and its terminals.
func everybodys(key string) bool {
	words := strings.Fields(key)
	return len(words) == 3 && words[0] == "c" &&
		(slices.Contains([]string{"1:3", "1:5", "1:7", "1:8", "1:9", "5:0", "5:1", "5:2"}, words[1]) || strings.HasPrefix(words[1], "136:"))
}
