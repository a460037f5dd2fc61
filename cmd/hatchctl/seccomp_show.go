package main

import (
	"fmt"
	"io"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/seccomp"
)

func seccompShowCommand(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show FILTER",
		Short:   "Show what a filter allows, limits and denies",
		Example: "  hatchctl seccomp show 4f0c9a1b2c3d\n  hatchctl seccomp show restricted --json",
		Args:    between(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := o.filter(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), s)
			}
			f, native, err := o.parsed(args[0])
			if err != nil {
				return err
			}
			printFilter(cmd.OutOrStdout(), s, f, native)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the filter as the OCI spec writes it")
	return cmd
}

func printFilter(w io.Writer, s *specs.LinuxSeccomp, f *seccomp.Filter, native specs.Arch) {
	fmt.Fprintf(w, "by default: %s\n", f.Default)
	fmt.Fprintf(w, "architectures: %s\n", native)
	for _, a := range s.Architectures {
		if a != native {
			fmt.Fprintf(w, "  and %s\n", a)
		}
	}
	if len(s.Flags) > 0 {
		fmt.Fprintf(w, "flags: %v\n", s.Flags)
	}
	if s.ListenerPath != "" {
		fmt.Fprintf(w, "asks a supervisor: %s\n", s.ListenerPath)
	}
	var allowed, denied []string
	limited := map[string]seccomp.Set{}
	var order []string
	for _, e := range f.Survey(native) {
		switch {
		case e.Allow.Always():
			allowed = append(allowed, e.Call)
		case len(e.Allow) > 0:
			limited[e.Call] = e.Allow
			order = append(order, e.Call)
		case e.Deny != f.Default:
			denied = append(denied, e.Call+" ("+e.Deny.String()+")")
		}
	}
	printWords(w, "allowed", allowed)
	for _, call := range order {
		fmt.Fprintf(w, "%s, if\n", call)
		for _, c := range limited[call] {
			fmt.Fprintf(w, "  %s\n", c)
		}
	}
	printWords(w, "denied by name", denied)
}

// printWords prints a list in lines of a terminal's width.
func printWords(w io.Writer, title string, words []string) {
	fmt.Fprintf(w, "%s: %d\n", title, len(words))
	line := " "
	for _, word := range words {
		if len(line)+len(word) > 78 {
			fmt.Fprintln(w, line)
			line = " "
		}
		line += " " + word
	}
	if strings.TrimSpace(line) != "" {
		fmt.Fprintln(w, line)
	}
}

func seccompDiffCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "diff FILTER FILTER",
		Short:   "Show which calls one filter allows and the other does not",
		Long:    "Show which calls one filter allows and the other does not. Exit code 0: they allow\nthe same. 1: they do not.",
		Example: "  hatchctl seccomp diff baseline restricted\n  hatchctl seccomp diff profile.json 4f0c9a1b2c3d",
		Args:    between(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, native, err := o.parsed(args[0])
			if err != nil {
				return err
			}
			b, _, err := o.parsed(args[1])
			if err != nil {
				return err
			}
			if printDifference(cmd.OutOrStdout(), args, a.Survey(native), b.Survey(native)) {
				return exitError(1)
			}
			return nil
		},
	}
}

// printDifference compares two surveys, each sorted by name.
func printDifference(w io.Writer, names []string, a, b []seccomp.Entry) bool {
	second := map[string]seccomp.Entry{}
	for _, e := range b {
		second[e.Call] = e
	}
	first := map[string]seccomp.Entry{}
	for _, e := range a {
		first[e.Call] = e
	}
	var onlyA, onlyB []string
	var other [][3]string
	for _, e := range a {
		o := second[e.Call]
		switch {
		case len(e.Allow) > 0 && len(o.Allow) == 0:
			onlyA = append(onlyA, e.Call)
		case len(e.Allow) > 0 && e.Allow.String() != o.Allow.String():
			other = append(other, [3]string{e.Call, e.Allow.String(), o.Allow.String()})
		}
	}
	for _, e := range b {
		if len(e.Allow) > 0 && len(first[e.Call].Allow) == 0 {
			onlyB = append(onlyB, e.Call)
		}
	}
	if len(onlyA)+len(onlyB)+len(other) == 0 {
		fmt.Fprintln(w, "they allow the same calls")
		return false
	}
	printWords(w, "only "+names[0]+" allows", onlyA)
	printWords(w, "only "+names[1]+" allows", onlyB)
	for _, d := range other {
		fmt.Fprintf(w, "%s\n  %s: %s\n  %s: %s\n", d[0], names[0], d[1], names[1], d[2])
	}
	return true
}
