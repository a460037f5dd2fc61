package host

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Overlay is an overlay mount as the kernel describes it.
type Overlay struct {
	Lower []string `json:"lower"` // top first
	Upper string   `json:"upper,omitempty"`
	Work  string   `json:"work,omitempty"`
	// Options are the others that a new mount of the same layers must have.
	Options []string `json:"options,omitempty"`
	// Flags are the mount flags of it that such a mount must have: MS_NODEV and its
	// like (linux/mount.h).
	Flags    uintptr `json:"flags,omitempty"`
	ReadOnly bool    `json:"readOnly,omitempty"`
}

var (
	errLayers  = errors.New("its layers cannot be told from the mount table")
	errOption  = errors.New("it has an overlay option that is not known")
	errAlone   = errors.New("it lets no second overlay have its upper layer")
	errData    = errors.New("it has layers of data alone")
	errBelow   = errors.New("other file systems are mounted below it")
	errStacked = errors.New("the root file system is not where its mount begins")
)

// overlayAt is the overlay mount at path, nil where another file system is.
func overlayAt(path string) (*Overlay, error) {
	at, err := resolve(path)
	if err != nil {
		return nil, err
	}
	if m, ok := mountAt(path, at.mount); ok {
		return overlayOf(at, []mount{m})
	}
	all, err := tableMounts()
	if err != nil {
		return nil, err
	}
	return overlayOf(at, all)
}

func overlayOf(at place, all []mount) (*Overlay, error) {
	i := slices.IndexFunc(all, func(m mount) bool { return m.ID == at.mount })
	if i < 0 {
		return nil, errForeign
	}
	m, err := all[i].info()
	switch {
	case err != nil:
		return nil, err
	case m.FSType != "overlay":
		return nil, nil
	case m.Mountpoint != at.path || m.Root != "/":
		return nil, errStacked
	}
	return parseOverlay(m, at.path)
}

func parseOverlay(m *mountinfo.Info, path string) (*Overlay, error) {
	o := &Overlay{}
	for _, part := range strings.Split(m.Options, ",") {
		flag, known := mountFlags[part]
		if !known {
			return nil, fmt.Errorf("%w: %s", errOption, part)
		}
		o.Flags |= flag
		o.ReadOnly = o.ReadOnly || part == "ro"
	}
	for _, part := range strings.Split(m.VFSOptions, ",") {
		if err := o.option(part); err != nil {
			return nil, err
		}
	}
	return o, o.absolute(path)
}

// mountFlags are the flags that a mount can have (fs/proc_namespace.c,
// show_mnt_opts), and what of them a mount of the same layers is given.
var mountFlags = map[string]uintptr{
	"ro": 0, "rw": 0, "relatime": 0,
	"nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC, "nosymfollow": unix.MS_NOSYMFOLLOW,
	"noatime": unix.MS_NOATIME, "nodiratime": unix.MS_NODIRATIME,
}

// option takes what the overlay shows of itself (fs/overlayfs/params.c,
// ovl_show_options of 6.18). Options of mount alone, such as override_creds, are
// not shown.
func (o *Overlay) option(part string) error {
	name, value, _ := strings.Cut(part, "=")
	value = unescapeOctal(value)
	switch name {
	case "lowerdir":
		o.Lower = append(o.Lower, splitLayers(value)...)
	case "lowerdir+":
		o.Lower = append(o.Lower, value)
	case "datadir+":
		return errData
	case "upperdir":
		o.Upper = unescapeBackslash(value)
	case "workdir":
		o.Work = unescapeBackslash(value)
	case "ro":
		o.ReadOnly = true
	case "rw", "":
	case "seclabel": // of SELinux: the kernel adds it
	case "index", "nfs_export":
		// The kernel refuses a second one (ovl_get_upper, EBUSY).
		if value != "off" && o.Upper != "" {
			return fmt.Errorf("%w: %s", errAlone, part)
		}
		o.Options = append(o.Options, part)
	case "redirect_dir", "xino", "metacopy", "verity", "volatile", "fsync", "userxattr", "uuid", "default_permissions":
		o.Options = append(o.Options, part)
	default:
		return fmt.Errorf("%w: %s", errOption, name)
	}
	return nil
}

// absolute completes layers that are named from the directory of Docker's
// driver, DIR/ID/merged.
func (o *Overlay) absolute(merged string) error {
	base := filepath.Dir(filepath.Dir(merged))
	paths := make([]*string, 0, len(o.Lower)+2)
	for i := range o.Lower {
		paths = append(paths, &o.Lower[i])
	}
	if o.Upper != "" {
		paths = append(paths, &o.Upper, &o.Work)
	}
	if len(o.Lower) == 0 || (o.Upper == "") != (o.Work == "") {
		return errLayers
	}
	for _, p := range paths {
		if *p == "" {
			return errData // as in lowerdir=a::b
		}
		if !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
		if !exists(*p) {
			return fmt.Errorf("%w: %s is not there", errLayers, *p)
		}
	}
	if o.Upper != "" && filepath.Dir(o.Upper) != filepath.Dir(o.Work) {
		return fmt.Errorf("%w: upperdir and workdir are not in one directory", errLayers)
	}
	return nil
}

// splitLayers splits at the colons that no backslash precedes.
func splitLayers(s string) []string {
	var all []string
	var one strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			one.WriteByte(s[i])
		case s[i] == ':':
			all = append(all, one.String())
			one.Reset()
		default:
			one.WriteByte(s[i])
		}
	}
	return append(all, one.String())
}

func unescapeBackslash(s string) string { return strings.Join(splitEscapes(s), "") }

func splitEscapes(s string) []string {
	var all []string
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		all = append(all, s[i:i+1])
	}
	return all
}

// unescapeOctal reads \054 and its like (kernel, seq_escape).
func unescapeOctal(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && octal(s[i+1:i+4]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(s string) bool {
	return s[0] >= '0' && s[0] <= '3' && strings.Trim(s, "01234567") == ""
}

// Layers are the layers of the overlay mount at path, the upper one first, as
// the mount table of this host has them.
func Layers(path string) ([]string, error) {
	o, err := overlayAt(path)
	if err != nil || o == nil {
		return nil, errors.Join(err)
	}
	return o.All(), nil
}

// All are the layers, the upper one first.
func (o *Overlay) All() []string {
	if o.Upper == "" {
		return o.Lower
	}
	return append([]string{o.Upper}, o.Lower...)
}
