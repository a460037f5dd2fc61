package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hatchdog/hatchdog/internal/export/config"
	"github.com/hatchdog/hatchdog/internal/export/encode"
	"github.com/hatchdog/hatchdog/internal/export/record"
	"github.com/hatchdog/hatchdog/internal/plain"
)

// Bounds of an answer, in bytes.
const (
	maxAnswer  = 64 << 10
	maxHeaders = 64 << 10
)

func newClient(t config.TLS) (*http.Client, error) {
	conf, err := t.Client()
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Timeout: 3 * patience,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: patience}).DialContext,
			TLSClientConfig: conf, TLSHandshakeTimeout: patience, ForceAttemptHTTP2: true,
			ResponseHeaderTimeout: 2 * patience, MaxResponseHeaderBytes: maxHeaders, MaxIdleConns: 2, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// Bare is an error without the address, whose path or query may be a secret.
func Bare(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// Webhook posts each record as a JSON object.
type Webhook struct {
	URL   string
	Token func() (string, error)
	Agent string

	client *http.Client
}

// NewWebhook makes one.
func NewWebhook(c *config.Webhook, version string, getenv func(string) string) (*Webhook, error) {
	client, err := newClient(c.TLS)
	if err != nil {
		return nil, err
	}
	token := func() (string, error) { return c.Token.Read(getenv) }
	return &Webhook{URL: c.URL, Token: token, Agent: "hatchdog/" + version, client: client}, nil
}

// Later says how long a receiver asked to wait.
type Later struct {
	Status int
	After  time.Duration // 0: it did not say
}

func (l *Later) Error() string {
	return fmt.Sprintf("the receiver answered %d (%s)", l.Status, http.StatusText(l.Status))
}

// Post sends one document. refused: the receiver will never take it.
func (w *Webhook) Post(ctx context.Context, doc []byte, key string) (refused bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(doc))
	if err != nil {
		return false, Bare(err)
	}
	token, err := w.Token()
	if err != nil {
		return false, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", plain.Line(w.Agent))
	req.Header.Set("Idempotency-Key", key)
	resp, err := w.client.Do(req)
	if err != nil {
		return false, Bare(err)
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // so that the connection is used again
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return false, nil
	case code == http.StatusBadRequest, code == http.StatusRequestEntityTooLarge, code == http.StatusUnprocessableEntity:
		return true, &Later{Status: code}
	default:
		return false, &Later{code, after(resp.Header.Get("Retry-After"))}
	}
}

// maxAfter bounds how long a receiver can make us wait.
const maxAfter = 5 * time.Minute

func after(header string) time.Duration {
	if n, err := strconv.ParseUint(header, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, maxAfter)
	}
	return 0
}

// Key is the same each time a record is sent.
func Key(r record.Record) string {
	return fmt.Sprintf("hatchdog-%d-%.16s-%s-%d", r.Seq, word(r.Hash), word(r.Kind), r.Missing)
}

func word(s string) string {
	if !plain.ASCII(s) || len(s) > 64 {
		return "other"
	}
	return s
}

// Body is what is posted of a record.
func Body(r record.Record) []byte { return encode.Document(r) }
