package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/hatchdog/hatchdog/internal/export/config"
	"github.com/hatchdog/hatchdog/internal/export/encode"
	"github.com/hatchdog/hatchdog/internal/export/record"
)

// OTLP sends logs to a collector of OpenTelemetry.
type OTLP struct {
	exporter sdklog.Exporter
	provider *sdklog.LoggerProvider
	logger   log.Logger
	held     *holding
	answer   *answers
}

// NewOTLP makes one.
func NewOTLP(c *config.OTLP, h encode.Host, getenv func(string) string) (*OTLP, error) {
	client, answer, err := otlpClient(c, getenv)
	if err != nil {
		return nil, err
	}
	options := []otlploghttp.Option{
		otlploghttp.WithEndpointURL(signal(c.Endpoint, "/v1/logs")), otlploghttp.WithHTTPClient(client),
		otlploghttp.WithRetry(otlploghttp.RetryConfig{}), // whoever calls tries again, without an end
	}
	exporter, err := otlploghttp.New(context.Background(), options...)
	if err != nil {
		return nil, Bare(err)
	}
	o := &OTLP{exporter: exporter, held: &holding{}, answer: answer}
	o.provider = sdklog.NewLoggerProvider(sdklog.WithResource(described(h)), sdklog.WithProcessor(o.held),
		sdklog.WithAttributeValueLengthLimit(-1))
	o.logger = o.provider.Logger("github.com/hatchdog/hatchdog", log.WithInstrumentationVersion(h.Version))
	return o, nil
}

// Send exports the batch and waits for the collector's answer.
func (o *OTLP) Send(ctx context.Context, batch []record.Record) (Sent, error) {
	o.held.records = nil
	for _, r := range batch {
		o.logger.Emit(ctx, logRecord(r))
	}
	o.answer.code, o.answer.rejected, o.answer.why = 0, 0, ""
	err := o.exporter.Export(ctx, o.held.records)
	switch {
	case o.answer.code >= 200 && o.answer.code < 300:
		return Sent{len(batch), int(min(o.answer.rejected, int64(len(batch)))), o.answer.why}, nil
	case refusal(o.answer.code) && len(batch) > 1:
		return o.Send(ctx, batch[:len(batch)/2]) // one of them may be the reason; the others are not lost with it
	case refusal(o.answer.code):
		return Sent{len(batch), len(batch), fmt.Sprintf("the collector answered %d", o.answer.code)}, nil
	case o.answer.code != 0:
		return Sent{}, &Later{o.answer.code, o.answer.after}
	case err == nil:
		return Sent{}, errors.New("the collector was not asked")
	}
	return Sent{}, Bare(err)
}

func refusal(code int) bool {
	return code == http.StatusBadRequest || code == http.StatusRequestEntityTooLarge
}

// Close gives the connections back.
func (o *OTLP) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return errors.Join(o.provider.Shutdown(ctx), o.exporter.Shutdown(ctx))
}

// NewMetrics sends what from gathers every so often, until it is shut down.
func NewMetrics(c *config.OTLP, h encode.Host, every time.Duration, from metric.Producer, getenv func(string) string) (*metric.MeterProvider, error) {
	client, _, err := otlpClient(c, getenv)
	if err != nil {
		return nil, err
	}
	exporter, err := otlpmetrichttp.New(context.Background(),
		otlpmetrichttp.WithEndpointURL(signal(c.Endpoint, "/v1/metrics")), otlpmetrichttp.WithHTTPClient(client))
	if err != nil {
		return nil, Bare(err)
	}
	reader := metric.NewPeriodicReader(exporter, metric.WithInterval(every), metric.WithProducer(from))
	return metric.NewMeterProvider(metric.WithReader(reader), metric.WithResource(described(h))), nil
}

// signal is where a collector takes a signal below its endpoint (OTLP 1.x,
// "OTLP/HTTP Request").
func signal(endpoint, path string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return endpoint // the configuration was read by the same parser
	}
	u.Path = strings.TrimSuffix(u.Path, "/") + path
	return u.String()
}

func described(h encode.Host) *resource.Resource {
	return resource.NewSchemaless(
		attribute.String("service.name", "hatchdog"), attribute.String("service.version", h.Version), attribute.String("host.name", h.Name))
}

func logRecord(r record.Record) log.Record {
	var out log.Record
	out.SetTimestamp(r.Time)
	out.SetObservedTimestamp(time.Now())
	out.SetEventName("hatchdog." + r.Kind)
	out.SetSeverity(otlpSeverity(r.Severity))
	out.SetSeverityText(r.Severity.String())
	out.SetBody(attribute.StringValue(valid(r.Message)))
	for _, a := range []struct{ key, value string }{
		{"container.id", r.Container.ID},
		{"container.name", r.Container.Name},
		{"container.image.name", r.Container.Image},
		{"container.runtime.name", r.Container.Engine},
		{"k8s.namespace.name", r.Container.Namespace},
		{"k8s.pod.name", r.Container.Pod},
		{"hatchdog.action", r.Action},
		{"hatchdog.outcome", r.Outcome},
		{"hatchdog.profile", r.Profile},
		{"hatchdog.mode", r.Mode},
		{"hatchdog.technique", r.Technique},
		{"hatchdog.line.hash", r.Hash},
		{"hatchdog.event", string(r.Event)},
	} {
		if a.value != "" {
			out.AddAttributes(attribute.String(a.key, valid(a.value)))
		}
	}
	out.AddAttributes(attribute.Int64("hatchdog.line.number", int64(r.Seq&(1<<63-1))))
	if r.Missing > 0 {
		out.AddAttributes(attribute.Int64("hatchdog.missing", int64(r.Missing&(1<<63-1))))
	}
	if r.Unnamed > 0 {
		out.AddAttributes(attribute.Int64("hatchdog.unnamed", int64(r.Unnamed)))
	}
	return out
}

// valid is s as protobuf takes texts.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

func otlpSeverity(s record.Severity) log.Severity {
	switch s {
	case record.Critical:
		return log.SeverityFatal
	case record.Error:
		return log.SeverityError
	case record.Warning:
		return log.SeverityWarn
	case record.Notice:
		return log.SeverityInfo2
	default:
		return log.SeverityInfo
	}
}

// holding keeps what is emitted until Send exports it: the SDK's own processors
// drop what a collector does not take.
type holding struct{ records []sdklog.Record }

func (h *holding) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

func (h *holding) OnEmit(_ context.Context, r *sdklog.Record) error {
	h.records = append(h.records, r.Clone())
	return nil
}

func (h *holding) Shutdown(context.Context) error { return nil }

func (h *holding) ForceFlush(context.Context) error { return nil }

// answers sees each answer of the collector: the exporter hands on neither its code
// nor how many records it rejected.
type answers struct {
	next     http.RoundTripper
	token    func() (string, error)
	code     int
	rejected int64
	why      string
	after    time.Duration
}

func otlpClient(c *config.OTLP, getenv func(string) string) (*http.Client, *answers, error) {
	client, err := newClient(c.TLS)
	if err != nil {
		return nil, nil, err
	}
	a := &answers{next: client.Transport, token: func() (string, error) { return c.Token.Read(getenv) }}
	client.Transport = a
	return client, a, nil
}

// RoundTrip adds the token.
func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := a.token()
	if err != nil {
		return nil, err
	}
	if token != "" {
		req = req.Clone(req.Context())
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := a.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	a.code, a.after = resp.StatusCode, after(resp.Header.Get("Retry-After"))
	var said collector.ExportLogsServiceResponse
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/x-protobuf") && proto.Unmarshal(body, &said) == nil && said.PartialSuccess != nil {
		a.rejected, a.why = max(0, said.PartialSuccess.RejectedLogRecords), said.PartialSuccess.ErrorMessage
	}
	return resp, nil
}
