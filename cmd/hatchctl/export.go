package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/export"
	"github.com/hatchdog/hatchdog/internal/export/config"
	"github.com/hatchdog/hatchdog/internal/export/encode"
	"github.com/hatchdog/hatchdog/internal/export/metrics"
	keeping "github.com/hatchdog/hatchdog/internal/export/place"
	"github.com/hatchdog/hatchdog/internal/export/sink"
)

// exportOptions are the flags of export.
type exportOptions struct {
	*options
	file   string
	log    string
	stdout bool
	once   bool
	check  bool
	from   string
}

func exportCommand(o *options) *cobra.Command {
	e := &exportOptions{options: o}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Send the audit log to other systems as it grows, and answer Prometheus",
		Long: `Send the audit log to other systems as it grows, and answer Prometheus.

It runs in the foreground, as the unit hatchdog-export.service does, and reads from its
configuration what is sent where: JSON Lines, journald, syslog (CEF or ECS), OTLP, a
webhook, metrics for Prometheus. Each receiver gets each line at least once, also after
a crash and when it was away. No start of a container needs it.

Secrets are not on the command line: the configuration names a file or a systemd
credential. To other hosts it speaks TLS, unless the configuration says
"plaintext: true".`,
		Example: `  hatchctl export --check
  hatchctl export
  hatchctl export --once
  hatchctl export --stdout --from now`,
		Args: between(0, 0),
		RunE: e.run,
	}
	cmd.Flags().StringVar(&e.file, "config", config.Default, "the configuration")
	cmd.Flags().StringVar(&e.log, "log", "", "the audit log (default: the policy's audit.path)")
	cmd.Flags().BoolVar(&e.stdout, "stdout", false, "print the lines instead, and keep no position")
	cmd.Flags().BoolVar(&e.once, "once", false, "send what there is and end, at the first error too")
	cmd.Flags().BoolVar(&e.check, "check", false, "check the configuration and end")
	cmd.Flags().StringVar(&e.from, "from", string(config.Oldest), "where --stdout begins: oldest or now")
	cmd.MarkFlagsMutuallyExclusive("stdout", "config")
	cmd.MarkFlagsMutuallyExclusive("stdout", "check")
	return cmd
}

func (e *exportOptions) run(cmd *cobra.Command, _ []string) error {
	c, err := e.config(cmd)
	if err != nil {
		return err
	}
	w, err := e.world(cmd.OutOrStdout(), cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if c.State != "" && !e.check {
		release, err := keeping.Hold(c.State, "export")
		if err != nil {
			return fmt.Errorf("export: %w", err)
		}
		defer release()
	}
	if e.check {
		// Queues are opened where nothing else is.
		dir, err := os.MkdirTemp("", "hatchctl-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		c.State = dir
	}
	made, err := export.New(c, w)
	if err != nil {
		return fmt.Errorf("export: %s: %w", e.file, err)
	}
	if e.check {
		fmt.Fprintln(cmd.OutOrStdout(), e.file+": it is in order; whether the receivers are there was not tried")
		return nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { w.Say("otlp: %v", sink.Bare(err)) }))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := made.Run(ctx); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

func (e *exportOptions) config(cmd *cobra.Command) (*config.Config, error) {
	from := config.From(e.from)
	if from != config.Oldest && from != config.Now {
		return nil, usageError(cmd, "--from is oldest or now")
	}
	if e.stdout {
		return &config.Config{From: from, Sinks: []config.Sink{{Name: "stdout", Stdout: &struct{}{}}}}, nil
	}
	if cmd.Flags().Changed("from") {
		return nil, usageError(cmd, "--from goes with --stdout; the configuration has a key of that name")
	}
	return config.Load(e.file)
}

func (e *exportOptions) world(out, errs io.Writer) (export.World, error) {
	log := e.log
	if log == "" {
		path, err := e.auditPath()
		if err != nil {
			return export.World{}, err
		}
		log = path
	}
	store := e.store()
	return export.World{
		Log: log, Host: thisHost(), Getenv: os.Getenv, Stdout: out, Once: e.once,
		Say:        func(format string, args ...any) { fmt.Fprintf(errs, "hatchctl: export: "+format+"\n", args...) },
		Containers: func() metrics.Containers { return metrics.Running(store) },
	}, nil
}

func thisHost() encode.Host {
	name, err := os.Hostname()
	if err != nil {
		name = ""
	}
	return encode.Host{Name: name, Version: version}
}

func metricsCommand(o *options) *cobra.Command {
	var file, log, state string
	cmd := &cobra.Command{
		Use:   "metrics",
		Short: "Print metrics for Prometheus, or write them for node_exporter",
		Long: `Print metrics for Prometheus, or write them for node_exporter.

It counts what the audit log has got since the last time, and keeps the counts: run it
by a timer, and no process is needed. The file is replaced as a whole. Counters never go
back, also when the log is rotated.`,
		Example: `  hatchctl metrics
  hatchctl metrics --textfile /var/lib/prometheus/node-exporter/hatchdog.prom`,
		Args: between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if log == "" {
				path, err := o.auditPath()
				if err != nil {
					return err
				}
				log = path
			}
			if state == "" {
				state = config.DefaultState(os.Geteuid(), os.Getenv)
			}
			return printMetrics(cmd.OutOrStdout(), o.store(), log, state, file)
		},
	}
	cmd.Flags().StringVar(&file, "textfile", "", "write this file, which ends in .prom")
	cmd.Flags().StringVar(&log, "log", "", "the audit log (default: the policy's audit.path)")
	cmd.Flags().StringVar(&state, "counts", "", "the directory in which the counts are kept (default: /var/lib/hatchdog/export, or the user's own)")
	return cmd
}

func printMetrics(out io.Writer, store decision.Store, log, state, file string) error {
	release, err := keeping.Hold(state, "textfile")
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	defer release()
	kept, err := metrics.Keep(state, "textfile", log)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	defer kept.Close()
	if err := kept.Catch(); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	registry, err := metrics.Register(metrics.Source{
		Counts: kept.Counts, Version: version, Containers: func() metrics.Containers { return metrics.Running(store) },
	})
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	if file == "" {
		return metrics.Print(out, registry)
	}
	if filepath.Ext(file) != ".prom" {
		return fmt.Errorf("metrics: %s: node_exporter reads files that end in .prom", file)
	}
	return metrics.WriteFile(file, registry)
}
