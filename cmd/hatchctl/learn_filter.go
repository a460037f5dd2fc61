package main

import (
	"runtime"

	"github.com/spf13/cobra"

	learning "github.com/hatchdog/hatchdog/internal/learn"
	"github.com/hatchdog/hatchdog/internal/seccomp"
)

func learnFilter() *cobra.Command {
	return &cobra.Command{
		Use: "filter", Short: "Write the filter with which learn --log sees a container",
		Long: `Write the seccomp filter with which 'learn --log' sees a container. It lets pass what
builtin/restricted does, and has the kernel log each such call. Give it to a container
as any filter: under hatchdog a call passes that both let pass, as without it.

The kernel writes a record for each call: a container is slowed by it, and the kernel's
log has some of them. Take the filter away when the recording ends.`,
		Example: `  hatchctl learn filter > log.json
  hatchctl learn --log --as web -- docker run --rm --runtime=hatchdog --security-opt seccomp=log.json web`,
		Args: between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			native, err := seccomp.Native(runtime.GOARCH)
			if err != nil {
				return err
			}
			text, err := learning.Filter(native)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
}
