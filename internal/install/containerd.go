package install

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Containerd is containerd's config.toml. The text is edited, not rendered
// anew: comments and order are the administrator's.
type Containerd struct {
	// Version is that of a file that does not say its own: 2 (containerd 1.x)
	// or 3 (2.x).
	Version int
	// Fragment is true for a file that others are merged with: a drop-in, or a
	// template of k3s.
	Fragment bool
}

const (
	blockBegin = "# BEGIN hatchdog: written by hatchctl install; hatchctl uninstall removes it"
	blockEnd   = "# END hatchdog"
)

// was marks a line that Remove knows how to undo.
const was = "# hatchdog: was"

var (
	block   = regexp.MustCompile(`(?s)(?:\r?\n)?` + regexp.QuoteMeta(blockBegin) + `.*?` + blockEnd + `\r?\n`)
	oldName = regexp.MustCompile(`(?m)^([ \t]*default_runtime_name[ \t]*=[ \t]*)((?:"[^"\r\n]*"|'[^'\r\n]*')[^\r\n]*)(\r?)$`)
	wasName = regexp.MustCompile(`(?m)^([ \t]*default_runtime_name[ \t]*=[ \t]*)"hatchdog" ` + was + ` ([^\r\n]+)(\r?)$`)
	newName = regexp.MustCompile(`(?m)^default_runtime_name = "hatchdog" ` + was + ` nothing\r?\n`)
	bare    = regexp.MustCompile(`^version = \d\n$`)
	// setsDefault is what Add writes with SetDefault, in its three places.
	setsDefault = regexp.MustCompile(`(?m)^[ \t]*default_runtime_name[ \t]*=[ \t]*"hatchdog"(?: ` + was + ` |\r?$)`)
	criTable    = regexp.MustCompile(`(?m)^[ \t]*\[[ \t]*plugins\.["']io\.containerd\.(?:grpc\.v1\.cri|cri\.v1\.runtime)["']\.containerd[ \t]*\][^\r\n]*\r?\n`)
)

// table is where the CRI plugin keeps its runtimes.
func table(version int) (string, []string, error) {
	switch version {
	case 2:
		return `plugins."io.containerd.grpc.v1.cri".containerd`, []string{"plugins", "io.containerd.grpc.v1.cri", "containerd"}, nil
	case 3, 4:
		return `plugins."io.containerd.cri.v1.runtime".containerd`, []string{"plugins", "io.containerd.cri.v1.runtime", "containerd"}, nil
	}
	return "", nil, fmt.Errorf("version %d: %w; bring it up to date with: containerd config migrate", version, ErrVersion)
}

// Add appends hatchdog's tables as a marked block.
func (c Containerd) Add(raw []byte, o Options) ([]byte, error) {
	clean, err := c.Remove(raw)
	if err != nil {
		return nil, err
	}
	o.SetDefault = o.SetDefault || setsDefault.Match(raw)
	before, err := parseTOML(clean)
	if err != nil {
		return nil, err
	}
	if criDisabled(before) {
		return nil, ErrNoCRI
	}
	version := c.versionOf(before)
	header, path, err := table(version)
	if err != nil {
		return nil, err
	}
	parent := lookup(before, path...)
	if there, ok := lookup(parent, "runtimes")[name]; ok {
		// A block without its end is not by hand: Remove would not find it.
		whole := !bytes.Contains(clean, []byte(blockBegin))
		if whole && byHand(there, o) && (!o.SetDefault || parent["default_runtime_name"] == name) {
			return raw, nil // as the README says, or after "containerd config migrate"
		}
		return nil, ErrConflict
	}
	text, lead := string(clean), ""
	if strings.TrimSpace(text) == "" {
		text = fmt.Sprintf("version = %d\n", version)
	}
	if o.SetDefault {
		if text, lead, err = setDefault(text, header, parent); err != nil {
			return nil, err
		}
	}
	ours := "\n" + blockBegin + "\n" + lead + runtimeTables(header, o, parent) + blockEnd + "\n"
	if text != "" && !strings.HasSuffix(text, "\n") {
		ours = "\n" + ours
	}
	if strings.Contains(text, "\r\n") {
		ours = strings.ReplaceAll(ours, "\n", "\r\n")
	}
	after := []byte(text + ours)
	return after, c.unharmed(before, after, path)
}

// byHand reports whether a table without our marks is what we would write.
func byHand(table any, o Options) bool {
	t, _ := table.(map[string]any)
	return t["runtime_type"] == shimType || lookup(t, "options")["BinaryName"] == o.Binary
}

// setDefault changes the line that is there, or adds one to its table, or else
// gives the table for our block.
func setDefault(text, header string, parent map[string]any) (changed, lead string, err error) {
	const line = `default_runtime_name = "hatchdog"`
	if _, there := parent["default_runtime_name"]; there {
		if len(oldName.FindAllString(text, -1)) != 1 {
			return "", "", fmt.Errorf("default_runtime_name: %w: set it by hand", ErrVersion)
		}
		return oldName.ReplaceAllString(text, `${1}"hatchdog" `+was+` ${2}${3}`), "", nil
	}
	at := criTable.FindStringIndex(text)
	if at == nil {
		return text, "[" + header + "]\n" + line + "\n", nil
	}
	end := "\n"
	if strings.HasSuffix(text[:at[1]], "\r\n") {
		end = "\r\n"
	}
	return text[:at[1]] + line + " " + was + " nothing" + end + text[at[1]:], "", nil
}

// runtimeTables are the tables of the runtime; the cgroup driver is that of
// the node's runc.
func runtimeTables(header string, o Options, parent map[string]any) string {
	t := header + ".runtimes." + name
	s := fmt.Sprintf("[%s]\nruntime_type = \"io.containerd.runc.v2\"\npod_annotations = [\"hatchdog.dev/*\"]\ncontainer_annotations = [\"hatchdog.dev/*\"]\n[%s.options]\nBinaryName = %q\n", t, t, o.Binary)
	if on, _ := lookup(parent, "runtimes", "runc", "options")["SystemdCgroup"].(bool); on {
		s += "SystemdCgroup = true\n"
	}
	return s
}

// Remove takes the block away and gives the default back.
func (c Containerd) Remove(raw []byte) ([]byte, error) {
	if raw == nil {
		return nil, nil
	}
	text := block.ReplaceAllString(string(raw), "")
	text = newName.ReplaceAllString(text, "")
	text = wasName.ReplaceAllString(text, "${1}${2}${3}")
	if text != string(raw) && (text == "" || bare.MatchString(text)) {
		return nil, nil // it was ours alone
	}
	return []byte(text), nil
}

// unharmed holds an edit to what it may do: hatchdog's runtime and the default.
func (c Containerd) unharmed(before map[string]any, text []byte, path []string) error {
	after, err := parseTOML(text)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	parent := lookup(after, path...)
	runtimes, ok := parent["runtimes"].(map[string]any)
	if !ok || runtimes[name] == nil {
		return ErrLost
	}
	delete(runtimes, name)
	if old, there := lookup(before, path...)["default_runtime_name"]; there {
		parent["default_runtime_name"] = old
	} else {
		delete(parent, "default_runtime_name")
	}
	if _, there := before["version"]; !there {
		delete(after, "version")
	}
	if !reflect.DeepEqual(prune(before), prune(after)) {
		return ErrLost
	}
	return nil
}

// prune drops empty tables, which say nothing.
func prune(t map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range t {
		if sub, ok := v.(map[string]any); ok {
			if v = prune(sub); len(v.(map[string]any)) == 0 {
				continue
			}
		}
		out[k] = v
	}
	return out
}

// criDisabled: the containerd.io package of Docker comes so.
func criDisabled(t map[string]any) bool {
	disabled, _ := t["disabled_plugins"].([]any)
	for _, p := range disabled {
		switch p {
		case "cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime":
			return true
		}
	}
	return false
}

func (c Containerd) versionOf(t map[string]any) int {
	if v, ok := t["version"].(int64); ok {
		return int(v)
	}
	if len(t) > 0 && !c.Fragment {
		return 1 // containerd takes a file without one for its first
	}
	return c.Version
}

// parseTOML reads a configuration. Lines of a Go template, as k3s has them,
// are passed over.
func parseTOML(raw []byte) (map[string]any, error) {
	var plain []string
	for line := range strings.Lines(string(raw)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "{{") {
			plain = append(plain, line)
		}
	}
	t := map[string]any{}
	if err := toml.Unmarshal([]byte(strings.Join(plain, "")), &t); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrParse, err)
	}
	return t, nil
}

func lookup(t map[string]any, path ...string) map[string]any {
	for _, key := range path {
		next, ok := t[key].(map[string]any)
		if !ok {
			return nil
		}
		t = next
	}
	return t
}
