package export

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

// collector is OpenTelemetry's own receiver, with TLS.
func collector(t *testing.T, address, cert, key string) (*consumertest.LogsSink, *consumertest.MetricsSink) {
	t.Helper()
	factory := otlpreceiver.NewFactory()
	conf := factory.CreateDefaultConfig()
	must(t, confmap.NewFromStringMap(map[string]any{"protocols": map[string]any{"http": map[string]any{
		"endpoint": address, "tls": map[string]any{"cert_file": cert, "key_file": key},
	}}}).Unmarshal(conf))
	logs, metrics := &consumertest.LogsSink{}, &consumertest.MetricsSink{}
	set := receivertest.NewNopSettings(factory.Type())
	l, err := factory.CreateLogs(t.Context(), set, conf, logs)
	must(t, err)
	m, err := factory.CreateMetrics(t.Context(), set, conf, metrics)
	must(t, err)
	must(t, l.Start(t.Context(), componenttest.NewNopHost()))
	must(t, m.Start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { l.Shutdown(t.Context()); m.Shutdown(t.Context()) })
	return logs, metrics
}

// The page's example works with a real collector, also with one that comes late:
// each line is one record, and metrics come.
func TestCollector(t *testing.T) {
	p := newPlace(t)
	cert, key := certificate(t, p.dir)
	must(t, os.WriteFile(p.dir+"/otel.token", []byte("t0ken\n"), 0o600))
	address := freePort(t)
	p.configure(t, swap(t, example(t, "An OpenTelemetry collector"), "collector.example:4318", address, "/etc/hatchdog/otel.token", p.dir+"/otel.token", "/etc/hatchdog/otel-ca.pem", cert))
	p.write(t, 250)
	said, kill := p.start(t)
	waitFor(t, "the first try", func() bool { return strings.Contains(said.String(), "it is tried again") })
	logs, metrics := collector(t, address, cert, key)
	waitFor(t, "the records", func() bool { return logs.LogRecordCount() >= 250 })
	p.write(t, 1)
	waitFor(t, "the last record", func() bool { return logs.LogRecordCount() >= 251 })
	kill(syscall.SIGTERM)
	if logs.LogRecordCount() != 251 {
		t.Errorf("%d records of 251 lines", logs.LogRecordCount())
	}
	numbers := map[int64]bool{}
	for _, batch := range logs.AllLogs() {
		service, _ := batch.ResourceLogs().At(0).Resource().Attributes().Get("service.name")
		records := batch.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
		for i := range records.Len() {
			r := records.At(i)
			n, _ := r.Attributes().Get("hatchdog.line.number")
			numbers[n.Int()] = true
			name, _ := r.Attributes().Get("container.name")
			if r.EventName() != "hatchdog.decision" || r.SeverityText() != "warning" || !strings.Contains(name.Str(), "evil | act=none =") || strings.ContainsAny(name.Str()+r.Body().Str(), "\n\x1b\u202e") || service.Str() != "hatchdog" {
				t.Fatalf("%q %q %v", r.EventName(), r.Body().Str(), r.Attributes().AsRaw())
			}
		}
	}
	if len(numbers) != 251 {
		t.Errorf("%d different lines", len(numbers))
	}
	counted := 0.0
	for _, batch := range metrics.AllMetrics() {
		all := batch.ResourceMetrics().At(0).ScopeMetrics()
		for s := range all.Len() {
			for i := range all.At(s).Metrics().Len() {
				if m := all.At(s).Metrics().At(i); m.Name() == "hatchdog_decisions_total" {
					counted = m.Sum().DataPoints().At(0).DoubleValue()
				}
			}
		}
	}
	if counted != 251 {
		t.Errorf("the last metrics count %v of 251 decisions; it said:\n%s", counted, said)
	}
	if strings.Contains(said.String(), "t0ken") {
		t.Error("the token was printed")
	}
}
