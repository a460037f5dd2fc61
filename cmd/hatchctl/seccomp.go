package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/seccomp"
	tables "github.com/hatchdog/hatchdog/profiles/seccomp"
)

func seccompCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "seccomp",
		Short: "Show, compare, check and try filters of system calls",
		Long: `Show, compare, check and try filters of system calls.

FILTER is a container's name or id, a bundle, a config.json, a profile in the form of
the OCI spec (defaultAction, syscalls), or a table: baseline, restricted or untrusted,
for a container without capabilities.`,
		Example: "  hatchctl seccomp show web\n  hatchctl seccomp diff baseline restricted",
	}
	cmd.AddCommand(seccompShowCommand(o), seccompDiffCommand(o), seccompCheckCommand(o), seccompSimulateCommand(o))
	return cmd
}

var errNoFilter = errors.New("no filter: every system call reaches the kernel")

// filter finds what a name stands for.
func (o *options) filter(name string) (*specs.LinuxSeccomp, error) {
	if slices.Contains(tables.Names(), name) {
		native, err := seccomp.Native(runtime.GOARCH)
		if err != nil {
			return nil, err
		}
		table, err := tables.Load(name)
		if err != nil {
			return nil, err
		}
		w := seccomp.Wish{Native: native}
		return seccomp.Intersect(nil, table.Resolve(w), w).Spec, nil
	}
	path := name
	info, err := os.Stat(path)
	if err != nil {
		return o.filterInForce(name)
	}
	if info.IsDir() {
		path = filepath.Join(path, bundle.Config)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return readFilter(path, raw)
}

// filterInForce is the filter that the low-level runtime gave a container. The
// bundle has the one that its engine asked for.
func (o *options) filterInForce(name string) (*specs.LinuxSeccomp, error) {
	e, err := o.one(name)
	if errors.Is(err, errManyContainers) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%q is no table, no file, and no container that runs under hatchdog", name)
	}
	given, err := lowlevel.FindGiven(e.Root, e.ID)
	if err != nil {
		return nil, err
	}
	if given.Seccomp == nil {
		return nil, errNoFilter
	}
	return given.Seccomp, nil
}

// readFilter reads a spec or a bare filter.
func readFilter(path string, raw []byte) (*specs.LinuxSeccomp, error) {
	var bare struct {
		DefaultAction string `json:"defaultAction"`
	}
	if json.Unmarshal(raw, &bare) == nil && bare.DefaultAction != "" {
		doc, err := bundle.Decode[specs.LinuxSeccomp](raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if len(doc.Unknown) > 0 {
			return nil, fmt.Errorf("%s: %s: not of the OCI spec (a profile with includes, excludes or archMap is resolved by the engine)", path, doc.Unknown[0])
		}
		return doc.Value, nil
	}
	doc, err := bundle.Decode[specs.Spec](raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if doc.Value.Linux == nil || doc.Value.Linux.Seccomp == nil {
		return nil, errNoFilter
	}
	return doc.Value.Linux.Seccomp, nil
}

// parsed finds and reads a filter.
func (o *options) parsed(name string) (*seccomp.Filter, specs.Arch, error) {
	native, err := seccomp.Native(runtime.GOARCH)
	if err != nil {
		return nil, "", err
	}
	s, err := o.filter(name)
	if err != nil {
		return nil, "", err
	}
	f, err := seccomp.Parse(s)
	return f, native, err
}

func seccompCheckCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:     "check FILTER",
		Short:   "Check that a filter can be read and that its rules mean what they say",
		Long:    "Check that a filter can be read and that its rules mean what they say. Exit code 0:\nthey do. 1: there are doubts. 3: it cannot be read.",
		Example: "  hatchctl seccomp check profile.json",
		Args:    between(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, native, err := o.parsed(args[0])
			if err != nil {
				return err
			}
			doubts := f.Doubts(native)
			for _, d := range doubts {
				fmt.Fprintln(cmd.OutOrStdout(), d)
			}
			if len(doubts) > 0 {
				return exitError(1)
			}
			fmt.Fprintln(cmd.OutOrStdout(), "no doubts")
			return nil
		},
	}
}

func seccompSimulateCommand(o *options) *cobra.Command {
	var arch string
	cmd := &cobra.Command{
		Use:   "simulate FILTER CALL [ARGUMENT ...]",
		Short: "Show what a filter answers to a call with these arguments",
		Long: `Show what a filter answers to a call with these arguments (numbers; those left out
are 0). Exit code 0: the call is made. 1: it is not.`,
		Example: "  hatchctl seccomp simulate restricted socket 38 5 0\n  hatchctl seccomp simulate 4f0c9a1b2c3d clone 0x10000011",
		Args:    between(2, 8),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, native, err := o.parsed(args[0])
			if err != nil {
				return err
			}
			call := seccomp.Call{Name: args[1], Arch: native}
			if arch != "" {
				call.Arch = specs.Arch(arch)
				if !slices.Contains(seccomp.ArchNames(), arch) {
					return fmt.Errorf("--arch %q: want one of %s", arch, strings.Join(seccomp.ArchNames(), " "))
				}
			}
			if !slices.Contains(seccomp.Calls(), call.Name) {
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: no call of this name is known\n", call.Name)
			}
			for i, a := range args[2:] {
				if call.Args[i], err = strconv.ParseUint(a, 0, 64); err != nil {
					return fmt.Errorf("argument %d: %w", i, err)
				}
			}
			got := f.Evaluate(call, native)
			fmt.Fprintf(cmd.OutOrStdout(), "%s (%s)\n", got.Action, got.Rule)
			if !got.Certain {
				fmt.Fprintln(cmd.OutOrStdout(), "not certain: rules overlap or contradict, and libseccomp may compile them to something else")
			}
			if !got.Action.Executes() {
				return exitError(1)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&arch, "arch", "", "the architecture that the call is made for, as in SCMP_ARCH_X86 (default: the host's)")
	return cmd
}
