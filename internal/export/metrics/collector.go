package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Containers are those that run, by profile and mode.
type Containers map[[2]string]int

// Sending is what became of records at one receiver.
type Sending struct {
	Sink                  string
	Sent, Failed, Dropped uint64
	Behind                uint64 // lines of the log that it has not got
	Queued                int    // records that wait on disk
	QueuedBytes           int64
}

// Source is what the metrics are made from.
type Source struct {
	Counts     *Counts
	Version    string
	Containers func() Containers // nil: not known
	Sinks      func() []Sending  // nil: nothing is sent
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("hatchdog_"+name, help, labels, nil)
}

// descriptions are all metrics.
type descriptions struct {
	decisions, changes, refusals, events, gaps, missing, unnamed, line, lineTime, containers, build *prometheus.Desc

	sent, failed, dropped, behind, queued, queuedBytes *prometheus.Desc
}

func described() descriptions {
	return descriptions{
		decisions:  describe("decisions_total", "Decisions in the audit log.", "door", "outcome", "mode", "profile"),
		changes:    describe("changes_total", "Changes to requests, by the control that made them.", "control"),
		refusals:   describe("refusals_total", "Parts of requests that were refused, by control.", "control"),
		events:     describe("events_total", "Events in the audit log that are no decisions.", "kind", "severity"),
		gaps:       describe("audit_gaps_total", "Places where the audit log does not go on from the line before.", "why"),
		missing:    describe("audit_missing_lines_total", "Lines of the audit log that were gone before they were read."),
		unnamed:    describe("audit_unnamed_refusals_total", "Refusals that came too fast to have lines of their own."),
		line:       describe("audit_line", "Number of the last line of the audit log that was read."),
		lineTime:   describe("audit_line_timestamp_seconds", "Time of that line."),
		containers: describe("containers", "Containers that run under hatchdog.", "profile", "mode"),
		build:      describe("build_info", "1, with the version.", "version"),

		sent:        describe("export_sent_total", "Records that a receiver has got.", "sink"),
		failed:      describe("export_failures_total", "Tries to send that failed.", "sink"),
		dropped:     describe("export_dropped_total", "Records that were given up.", "sink"),
		behind:      describe("export_behind_lines", "Lines of the audit log that a receiver does not have yet.", "sink"),
		queued:      describe("export_queue_records", "Records that wait on disk.", "sink"),
		queuedBytes: describe("export_queue_bytes", "Bytes that wait on disk.", "sink"),
	}
}

type collector struct {
	Source
	descriptions
}

// Register makes a registry with all metrics.
func Register(s Source) (*prometheus.Registry, error) {
	registry := prometheus.NewRegistry()
	return registry, registry.Register(collector{s, described()})
}

// Describe sends no descriptions: what is not known is left out.
func (c collector) Describe(ch chan<- *prometheus.Desc) { ch <- c.build }

// Collect gives the numbers of now.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, n float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, labels...)
	}
	gauge(c.build, 1, strings.ToValidUTF8(c.Version, "?"))
	c.counted(counter, gauge)
	if c.Containers != nil {
		for key, n := range c.Containers() {
			gauge(c.containers, float64(n), key[0], key[1])
		}
	}
	if c.Sinks == nil {
		return
	}
	for _, s := range c.Sinks() {
		counter(c.sent, s.Sent, s.Sink)
		counter(c.failed, s.Failed, s.Sink)
		counter(c.dropped, s.Dropped, s.Sink)
		gauge(c.behind, float64(s.Behind), s.Sink)
		gauge(c.queued, float64(s.Queued), s.Sink)
		gauge(c.queuedBytes, float64(s.QueuedBytes), s.Sink)
	}
}

func (c collector) counted(counter func(*prometheus.Desc, uint64, ...string), gauge func(*prometheus.Desc, float64, ...string)) {
	n := c.Counts
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range []struct {
		desc   *prometheus.Desc
		counts map[string]uint64
	}{{c.decisions, n.Decisions}, {c.changes, n.Changes}, {c.refusals, n.Refusals}, {c.events, n.Events}, {c.gaps, n.Gaps}} {
		for key, count := range m.counts {
			counter(m.desc, count, strings.Split(key, sep)...)
		}
	}
	counter(c.missing, n.Missing)
	counter(c.unnamed, n.Unnamed)
	gauge(c.line, float64(n.At.Seq))
	if !n.Time.IsZero() {
		gauge(c.lineTime, float64(n.Time.UnixMilli())/1000)
	}
}
