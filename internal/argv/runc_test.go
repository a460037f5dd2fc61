package argv

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/urfave/cli"
	"pgregory.net/rapid"
)

// The flags of runc 1.5.2 (main.go, create.go, ...), for the parser that runc
// uses: s is a string, b a boolean, i a number, l a list of strings, n of
// numbers. integration/argv_test.go holds them against runc's own help.
const runcGlobal = "b debug; s log; s log-format; s root; b systemd-cgroup; s rootless"

var runcVerbs = map[string]string{
	"create": "s bundle,b; s console-socket; s pidfd-socket; s pid-file; b no-pivot; b no-new-keyring; i preserve-fds",
	"run": "s bundle,b; s console-socket; s pidfd-socket; b detach,d; b keep; s pid-file; b no-subreaper; b no-pivot;" +
		"b no-new-keyring; i preserve-fds",
	"restore": "s console-socket; s image-path; s work-path; b tcp-established; b ext-unix-sk; b shell-job; b file-locks;" +
		"s manage-cgroups-mode; s bundle,b; b detach,d; s pid-file; b no-subreaper; b no-pivot; l empty-ns; b auto-dedup;" +
		"b lazy-pages; s lsm-profile; s lsm-mount-context",
	"exec": "s console-socket; s pidfd-socket; s cwd; l env,e; b tty,t; s user,u; n additional-gids,g; s process,p;" +
		"b detach,d; s pid-file; s process-label; s apparmor; b no-new-privs; l cap,c; i preserve-fds; l cgroup; b ignore-paused",
	"update": "s resources,r; i blkio-weight; s cpu-period; s cpu-quota; s cpu-burst; s cpu-share; s cpu-rt-period;" +
		"s cpu-rt-runtime; s cpuset-cpus; s cpuset-mems; s kernel-memory; s kernel-memory-tcp; s memory; s cpu-idle;" +
		"s memory-reservation; s memory-swap; i pids-limit; s l3-cache-schema; s mem-bw-schema",
	"delete": "b force,f",
	"kill":   "b all,a",
	"state":  "",
	"start":  "",
	"ps":     "s format,f",
	"list":   "s format,f; b quiet,q",
}

type runcFlag struct {
	kind  byte
	names []string
}

func runcFlags(text string) []runcFlag {
	var all []runcFlag
	for _, one := range strings.Split(text, ";") {
		if one = strings.TrimSpace(one); one != "" {
			all = append(all, runcFlag{one[0], strings.Split(one[2:], ",")})
		}
	}
	return all
}

func cliFlags(text string) []cli.Flag {
	var all []cli.Flag
	for _, f := range runcFlags(text) {
		name := strings.Join(f.names, ", ")
		switch f.kind {
		case 's':
			all = append(all, cli.StringFlag{Name: name})
		case 'b':
			all = append(all, cli.BoolFlag{Name: name})
		case 'i':
			all = append(all, cli.IntFlag{Name: name})
		case 'l':
			all = append(all, cli.StringSliceFlag{Name: name})
		case 'n':
			all = append(all, cli.Int64SliceFlag{Name: name})
		}
	}
	return all
}

var errOperands = errors.New("another number of operands")

// reading is what a parser makes of a command line.
type reading struct {
	Verb, ID string
	Operands []string
	Flags    map[string]string // by first name; only those that are given
}

// runcReads is what runc acts on, or nil where it acts on nothing: an error,
// help or its version.
func runcReads(args []string) *reading {
	var got *reading
	app := cli.NewApp()
	app.Name, app.Version, app.Writer, app.ErrWriter = "runc", "1", io.Discard, io.Discard
	app.Flags = cliFlags(runcGlobal)
	app.CommandNotFound = func(*cli.Context, string) {}
	for verb, flags := range runcVerbs {
		app.Commands = append(app.Commands, cli.Command{
			Name: verb, Flags: cliFlags(flags), SkipArgReorder: verb == "exec" || verb == "ps",
			Action: func(ctx *cli.Context) error {
				switch n := ctx.NArg(); verb {
				case "exec", "ps", "kill":
					if n < 1 {
						return errOperands
					}
				case "list":
				default:
					if n != 1 {
						return errOperands
					}
				}
				got = &reading{Verb: verb, ID: ctx.Args().First(), Operands: ctx.Args(), Flags: map[string]string{}}
				for _, f := range runcFlags(runcGlobal) {
					got.take(ctx, f, "global ", ctx.GlobalIsSet, ctx.GlobalBool, ctx.GlobalString)
				}
				for _, f := range runcFlags(flags) {
					got.take(ctx, f, "", ctx.IsSet, ctx.Bool, ctx.String)
				}
				return nil
			},
		})
	}
	if err := app.Run(args); err != nil {
		return nil
	}
	return got
}

func (r *reading) take(ctx *cli.Context, f runcFlag, prefix string, set, on func(string) bool, text func(string) string) {
	name := f.names[0]
	if !set(name) {
		return
	}
	switch f.kind {
	case 'b':
		r.Flags[prefix+name] = fmt.Sprint(on(name))
	case 'i':
		r.Flags[prefix+name] = "" // its spelling is lost; that it is given is compared
	case 'l':
		r.Flags[prefix+name] = words(ctx.StringSlice(name))
	case 'n':
		var all []string
		for _, n := range ctx.Int64Slice(name) {
			all = append(all, strconv.FormatInt(n, 10))
		}
		r.Flags[prefix+name] = words(distinct(all))
	default:
		r.Flags[prefix+name] = text(name)
	}
}

// weRead puts a Call in the same form.
func weRead(c *Call, operands []string) *reading {
	r := &reading{Verb: c.Verb, ID: c.ID, Operands: operands, Flags: map[string]string{}}
	for _, f := range runcFlags(runcVerbs[c.Verb]) {
		if !c.IsSet(f.names...) {
			continue
		}
		value, _ := c.Value(f.names...)
		switch f.kind {
		case 'i':
			value = ""
		case 'l':
			value = words(c.Values(f.names...))
		case 'n':
			value = words(distinct(c.Values(f.names...)))
		}
		r.Flags[f.names[0]] = value
	}
	return r
}

// words joins values; runc's parser loses empty ones.
func words(all []string) string {
	return fmt.Sprint(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "" }))
}

// distinct is what counts of groups: runc's parser takes one twice where the
// flag has two names.
func distinct(all []string) []string {
	all = slices.Sorted(slices.Values(all))
	return slices.Compact(all)
}

func (r *reading) String() string { return fmt.Sprintf("%+v", *r) }

// agree holds our reading against runc's: what we hold to the policy is what
// runc acts on, and what runc acts on at a door never passes us by.
func agree(t interface{ Fatalf(string, ...any) }, args []string) (held bool) {
	runc := runcReads(args)
	c, err := Parse(args, never, noEnv)
	if err != nil || runc == nil {
		return false
	}
	if v, known := verbOf(runc.Verb); c.Verb != runc.Verb || known && c.Door != v.door {
		t.Fatalf("%q: runc acts on %s, we on %q (door %d)", args, runc, c.Verb, c.Door)
	}
	if c.Door == None {
		// It only finds the low-level runtime that created the container.
		if c.ID != "" && !slices.Contains(runc.Operands, c.ID) {
			t.Fatalf("%q: runc acts on %s, we on %q", args, runc, c.ID)
		}
		return true
	}
	for name, have := range map[string]string{
		"root": c.Global.Root, "log": c.Global.Log, "log-format": c.Global.LogFormat, "rootless": c.Global.Rootless,
		"debug": fmt.Sprint(c.Global.Debug), "systemd-cgroup": fmt.Sprint(c.Global.SystemdCgroup),
	} {
		if want, set := runc.Flags["global "+name]; set && want != have {
			t.Fatalf("%q: runc has --%s %q, we %q", args, name, want, have)
		}
		delete(runc.Flags, "global "+name)
	}
	if bundle := runc.Flags["bundle"]; bundle != c.Bundle {
		t.Fatalf("%q: runc has the bundle %q, we %q", args, bundle, c.Bundle)
	}
	if ours := weRead(c, runc.Operands); ours.String() != runc.String() {
		t.Fatalf("%q:\nrunc %s\nwe   %s", args, runc, ours)
	}
	agreeOnEdit(t, c, args)
	return true
}

// agreeOnEdit: runc reads a command line that we have changed as we mean it.
func agreeOnEdit(t interface{ Fatalf(string, ...any) }, c *Call, args []string) {
	for _, f := range runcFlags(runcVerbs[c.Verb]) {
		want := runcReads(args)
		delete(want.Flags, f.names[0])
		got := runcReads(c.Edit(func(name, value string) (string, bool) { return value, !slices.Contains(f.names, name) }))
		if got == nil && c.Verb != "exec" && c.Verb != "update" {
			continue // a line that is never edited
		}
		if got == nil || got.String() != want.String() {
			t.Fatalf("%q without --%s:\nrunc %s\nwant %s", args, f.names[0], got, want)
		}
		if f.kind != 's' || !c.IsSet(f.names...) {
			continue
		}
		want.Flags[f.names[0]] = "/proc/self/fd/9"
		got = runcReads(c.Edit(func(name, value string) (string, bool) {
			if slices.Contains(f.names, name) {
				return "/proc/self/fd/9", true
			}
			return value, true
		}))
		if got == nil || got.String() != want.String() {
			t.Fatalf("%q with another --%s:\nrunc %s\nwant %s", args, f.names[0], got, want)
		}
	}
	if c.Verb == "update" && !c.IsSet("pids-limit") && !c.IsSet("memory") {
		want := runcReads(args)
		want.Flags["pids-limit"], want.Flags["memory"] = "", "-1"
		got := runcReads(c.Edit(func(_, v string) (string, bool) { return v, true }, "--memory", "-1", "--pids-limit", "5"))
		if got == nil || got.String() != want.String() {
			t.Fatalf("%q with limits:\nrunc %s\nwant %s", args, got, want)
		}
	}
}

// draw makes a part of a command line: flags in each of their forms,
// their values, and what can be taken for one of them.
func draw(t *rapid.T, flags string, plain bool) []string {
	known := runcFlags(flags)
	var out []string
	for range rapid.IntRange(0, 5).Draw(t, "words") {
		kind := rapid.IntRange(0, 11).Draw(t, "word")
		if plain {
			kind = 2
		}
		switch kind {
		case 0:
			out = append(out, rapid.SampledFrom([]string{"c1", "c2", "create", "x", "-", "", "a b", "5"}).Draw(t, "operand"))
		case 1:
			out = append(out, rapid.SampledFrom([]string{
				"--", "--help", "-h", "--help=false", "---x", "-=", "--=x", "--new", "--new=x", "-bd", "--version", "-v",
			}).Draw(t, "oddity"))
		default:
			if len(known) == 0 {
				continue
			}
			f := rapid.SampledFrom(known).Draw(t, "flag")
			dash := rapid.SampledFrom([]string{"-", "--"}).Draw(t, "dash") + rapid.SampledFrom(f.names).Draw(t, "name")
			values := []string{"7", "-1", "5", "/b", "create", "--", "-x", "", "c1", "--root"}
			switch {
			case f.kind == 'b':
				values = []string{"true", "false", "0", "T", "", "perhaps"}
			case plain:
				values = values[:3]
			}
			switch value := rapid.SampledFrom(values).Draw(t, "value"); {
			case rapid.Bool().Draw(t, "inline"):
				out = append(out, dash+"="+value)
			case f.kind == 'b':
				out = append(out, dash)
			default:
				out = append(out, dash, value)
			}
		}
	}
	return out
}

// TestMain asks rapid for more than its usual 100 tries and for no files; its
// flags on the command line still count.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.checks": "1000", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func TestReadsAsRunc(t *testing.T) {
	verbs := []string{"create", "run", "restore", "exec", "update", "delete", "kill", "state", "ps", "list", "unheard"}
	held, total := map[string]int{}, 0
	rapid.Check(t, func(t *rapid.T) {
		verb := rapid.SampledFrom(verbs).Draw(t, "verb")
		plain := rapid.IntRange(0, 2).Draw(t, "plain") > 0
		args := append([]string{"runc"}, draw(t, runcGlobal, plain)...)
		args = append(args, verb)
		args = append(args, draw(t, runcVerbs[verb], plain)...)
		if plain || rapid.Bool().Draw(t, "id") {
			args = append(args, "c1")
		}
		if verb == "exec" {
			args = append(args, draw(t, runcVerbs["exec"], false)...)
		}
		total++
		if agree(t, args) {
			held[verb]++
		}
	})
	for _, door := range []string{"create", "run", "restore", "exec", "update", "delete"} {
		if held[door] < 10 {
			t.Errorf("of %d command lines hardly one was a %s that both read: %v", total, door, held)
		}
	}
}

func FuzzReadsAsRunc(f *testing.F) {
	for _, line := range []string{
		"--root /r --log /l --log-format json --systemd-cgroup create --bundle /b --pid-file p --console-socket s c1",
		"--root /r exec --process p --detach --pid-file f c1",
		"exec -u 0:0 --cap CAP_KILL -e A=b c1 sh -c --help",
		"update --resources=- c1",
		"update --memory 1g --pids-limit -1 c1",
		"delete --force c1",
		"restore --image-path i -b /b -- c1",
		"create --no-pivot c1 --bundle /b",
		"create ---bundle=/b c1",
		"kill c2 -all c1",
		"exec -c  -c CAP_KILL -g 5 --additional-gids=6 c1",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		agree(t, append([]string{"runc"}, strings.Split(line, " ")...))
	})
}
