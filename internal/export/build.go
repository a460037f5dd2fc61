package export

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"path/filepath"
	"time"

	bridge "go.opentelemetry.io/contrib/bridges/prometheus"

	"github.com/hatchdog/hatchdog/internal/export/config"
	"github.com/hatchdog/hatchdog/internal/export/encode"
	"github.com/hatchdog/hatchdog/internal/export/metrics"
	"github.com/hatchdog/hatchdog/internal/export/queue"
	"github.com/hatchdog/hatchdog/internal/export/record"
	"github.com/hatchdog/hatchdog/internal/export/sink"
)

// World is what an export takes from outside.
type World struct {
	Log        string // the audit log
	Host       encode.Host
	Getenv     func(string) string
	Stdout     io.Writer
	Say        func(format string, args ...any)
	Containers func() metrics.Containers
	Once       bool
}

// runner is a receiver at work.
type runner interface {
	Run(ctx context.Context) error
	Sending() metrics.Sending
}

// Export is all receivers of a configuration.
type Export struct {
	world   World
	conf    *config.Config
	runners []runner
}

// New makes the receivers; none is asked yet.
func New(c *config.Config, w World) (*Export, error) {
	e := &Export{world: w, conf: c}
	for _, s := range c.Sinks {
		r, err := e.runner(s)
		if err != nil {
			return nil, fmt.Errorf("sink %s: %w", s.Name, err)
		}
		if r != nil {
			e.runners = append(e.runners, r)
		}
	}
	return e, nil
}

// runner is nil for a collector that gets metrics alone.
func (e *Export) runner(s config.Sink) (runner, error) {
	least, _ := record.ParseSeverity(s.MinSeverity) // the configuration was checked
	f := &Feed{
		Name: s.Name, Log: e.world.Log, State: e.conf.State, From: e.conf.From, Least: least, Once: e.world.Once, Say: e.world.Say, Pause: Wait,
	}
	switch {
	case s.Stdout != nil:
		f.Sink = sink.Stream{W: e.world.Stdout}
	case s.File != nil:
		f.Sink = &sink.File{Path: s.File.Path}
	case s.Journald != nil:
		f.Sink = &sink.Journald{Socket: s.Journald.Socket, Host: e.world.Host}
	case s.Syslog != nil:
		made, err := e.syslog(s.Syslog)
		if err != nil {
			return nil, err
		}
		f.Sink = made
	case s.OTLP != nil && !s.OTLP.SendsLogs():
		return nil, nil
	case s.OTLP != nil:
		made, err := sink.NewOTLP(s.OTLP, e.world.Host, e.world.Getenv)
		if err != nil {
			return nil, err
		}
		f.Sink = made
	case s.Webhook != nil:
		return e.queued(s, f)
	default:
		return nil, config.ErrKind
	}
	return f, nil
}

func (e *Export) queued(s config.Sink, f *Feed) (runner, error) {
	to, err := sink.NewWebhook(s.Webhook, e.world.Host.Version, e.world.Getenv)
	if err != nil {
		return nil, err
	}
	q, err := queue.Open(filepath.Join(e.conf.State, s.Name+".queue"), s.Webhook.Queue.Bytes, s.Webhook.Queue.Records)
	if err != nil {
		return nil, err
	}
	out := &Queued{Queue: q, To: to}
	out.Name, out.Log, out.State, out.From, out.Least, out.Once, out.Say, out.Pause = f.Name, f.Log, f.State, f.From, f.Least, f.Once, f.Say, f.Pause
	return out, nil
}

func (e *Export) syslog(c *config.Syslog) (*sink.Syslog, error) {
	network, address, secure, err := c.Transport()
	if err != nil {
		return nil, err
	}
	out := &sink.Syslog{Network: network, Address: address, ECS: c.Format == "ecs", Most: c.Most, Host: e.world.Host}
	if secure {
		if _, err := c.TLS.Client(); err != nil {
			return nil, err
		}
		out.Secure = func() (*tls.Config, error) { return c.TLS.Client() } // each time: they are renewed
	}
	return out, nil
}

// otlpEvery is the time between two exports of metrics: OpenTelemetry's own
// default is a minute.
const otlpEvery = 30 * time.Second

// Run sends until the context ends; with Once, what there is.
func (e *Export) Run(ctx context.Context) error {
	var runs []func(context.Context) error
	for _, r := range e.runners {
		runs = append(runs, r.Run)
	}
	counting, end, err := e.counting(ctx)
	if err != nil {
		return err
	}
	defer end()
	return All(ctx, append(runs, counting...)...)
}

// counting is what the metrics need, where some are asked for.
func (e *Export) counting(ctx context.Context) (runs []func(context.Context) error, end func(), err error) {
	var to []*config.OTLP
	for _, s := range e.conf.Sinks {
		if s.OTLP != nil && s.OTLP.SendsMetrics() {
			to = append(to, s.OTLP)
		}
	}
	if e.conf.Metrics == nil && len(to) == 0 {
		return nil, func() {}, nil
	}
	kept, err := metrics.Keep(e.conf.State, "metrics", e.world.Log)
	if err != nil {
		return nil, nil, err
	}
	registry, err := metrics.Register(metrics.Source{Counts: kept.Counts, Version: e.world.Host.Version, Containers: e.world.Containers, Sinks: e.sending})
	if err != nil {
		return nil, nil, err
	}
	var ends []func() error
	for _, c := range to {
		p, err := sink.NewMetrics(c, e.world.Host, otlpEvery, bridge.NewMetricProducer(bridge.WithGatherer(registry)), e.world.Getenv)
		if err != nil {
			return nil, nil, err
		}
		ends = append(ends, func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return p.Shutdown(ctx) // sends the last numbers
		})
	}
	runs = append(runs, func(ctx context.Context) error { return e.count(ctx, kept) })
	if e.conf.Metrics != nil && !e.world.Once {
		l, err := metrics.Listen(e.conf.Metrics)
		if err != nil {
			return nil, nil, err
		}
		e.world.Say("metrics: http at %s, /metrics", l.Addr())
		runs = append(runs, func(ctx context.Context) error { return metrics.Serve(ctx, l, registry) })
	}
	return runs, func() {
		kept.Close()
		for _, end := range ends {
			if err := end(); err != nil {
				e.world.Say("metrics: %v", sink.Bare(err))
			}
		}
	}, nil
}

// count follows the log. A log that cannot be read now is tried again.
func (e *Export) count(ctx context.Context, kept *metrics.Kept) error {
	said := ""
	for {
		err := kept.Catch()
		if e.world.Once {
			return err
		}
		if err != nil && err.Error() != said {
			said = err.Error()
			e.world.Say("metrics: %v; it is tried again", err)
		}
		Wait(ctx, poll)
		if ctx.Err() != nil {
			return kept.Catch() // the last numbers are sent behind this
		}
	}
}

func (e *Export) sending() []metrics.Sending {
	var all []metrics.Sending
	for _, r := range e.runners {
		all = append(all, r.Sending())
	}
	return all
}
