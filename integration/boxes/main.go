// Command boxes measures how long a command takes that does nothing: in a box of
// hatchctl run, under bubblewrap and under firejail, in turns, with as much taken
// away as each can; and, with -ruler, how many of the primitives of integration/ruler
// each denies. What is not installed is left out, and said to be.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

type tool struct {
	name  string
	args  []string
	own   []string  // of these, what hides the directory from the ruler
	times []float64 // milliseconds
}

func main() {
	hatchctl := flag.String("hatchctl", "bin/hatchctl", "hatchctl, with hatchdog beside it")
	rounds := flag.Int("rounds", 30, "how often each is measured")
	ruler := flag.String("ruler", "", "integration/ruler/ruler.c, built static")
	flag.Parse()
	if err := measure(*hatchctl, *ruler, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "boxes:", err)
		os.Exit(1)
	}
}

func measure(hatchctl, ruler string, rounds int) error {
	ours, err := filepath.Abs(hatchctl)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "boxes")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	tools := []*tool{
		{name: "hatchctl run", args: []string{ours, "run", "--report", "none", "--", "true"}},
		{name: "bubblewrap", args: []string{
			"bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL", "--uid", "1000", "--ro-bind", "/usr", "/usr",
			"--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
			"--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--ro-bind", dir, dir, "--chdir", dir, "true",
		}},
		{name: "firejail", args: []string{
			"firejail", "--quiet", "--noprofile", "--net=none", "--private", "--private-dev", "--private-tmp", "--caps.drop=all", "--nonewprivs", "--seccomp", "true",
		}, own: []string{"--private-tmp"}},
	}
	var there []*tool
	for _, t := range tools {
		if _, err := exec.LookPath(t.args[0]); err != nil {
			fmt.Printf("%s is not installed\n", t.name)
			continue
		}
		there = append(there, t)
	}
	for range rounds {
		for _, t := range there {
			cmd := exec.Command(t.args[0], t.args[1:]...)
			cmd.Dir = dir
			began := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", t.name, err, out)
			}
			t.times = append(t.times, float64(time.Since(began).Microseconds())/1000)
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 2, 8, 2, ' ', 0)
	fmt.Fprintln(w, "a command that does nothing\tmedian, ms\tof hatchctl run")
	for _, t := range there {
		fmt.Fprintf(w, "%s\t%.1f\t%.2f\n", t.name, median(t.times), median(t.times)/median(there[0].times))
	}
	if err := w.Flush(); err != nil || ruler == "" {
		return err
	}
	return strengths(there, ruler, dir)
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}
