package sink

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	collector "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"

	"github.com/hatchdog/hatchdog/internal/export/config"
	"github.com/hatchdog/hatchdog/internal/export/encode"
	"github.com/hatchdog/hatchdog/internal/export/record"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func batch(n int, event string) []record.Record {
	var all []record.Record
	for i := range n {
		all = append(all, record.Record{
			Seq: uint64(i + 1), Hash: "ab", Time: time.Unix(1, 0), Kind: "x", Severity: record.Warning, Message: "m",
			Container: record.Container{ID: "c", Name: "web"}, Event: []byte(event), Line: []byte(fmt.Sprintf(`{"seq":%d}`, i+1)),
		})
	}
	return all
}

func TestFileIsWholeLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	must(t, os.WriteFile(path, []byte("{\"seq\":0}\n{\"se"+strings.Repeat("q", 9000)), 0o600)) // its writer was killed
	f := &File{Path: path}
	_, err := f.Send(t.Context(), batch(2, "{}"))
	must(t, err)
	data, err := os.ReadFile(path)
	must(t, err)
	if string(data) != "{\"seq\":0}\n{\"seq\":1}\n{\"seq\":2}\n" {
		t.Errorf("%q", data)
	}
	must(t, os.Rename(path, path+".1"))
	_, err = f.Send(t.Context(), batch(1, "{}"))
	must(t, err)
	if data, err = os.ReadFile(path); err != nil || string(data) != "{\"seq\":1}\n" {
		t.Errorf("%q %v", data, err)
	}
	must(t, f.Close())
	must(t, os.Symlink(path, path+".link"))
	if _, err := (&File{Path: path + ".link"}).Send(t.Context(), batch(1, "{}")); err == nil {
		t.Error("it follows a symbolic link")
	}
}

// The protocol's own way for what a datagram does not hold is a sealed file.
func TestJournaldLargeRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	defer l.Close()
	j := &Journald{Socket: path}
	large := `"` + strings.Repeat("x", 4<<20) + `"`
	_, err = j.Send(t.Context(), append(batch(1, "{}"), batch(1, large)...))
	must(t, err)
	must(t, j.Close())
	buf, oob := make([]byte, 64<<10), make([]byte, 256)
	n, _, _, _, err := l.ReadMsgUnix(buf, oob)
	must(t, err)
	if !bytes.Contains(buf[:n], []byte("HATCHDOG_EVENT={}\n")) {
		t.Errorf("%q", buf[:n])
	}
	n, on, _, _, err := l.ReadMsgUnix(buf, oob)
	must(t, err)
	msgs, err := unix.ParseSocketControlMessage(oob[:on])
	must(t, err)
	if n != 0 || len(msgs) != 1 {
		t.Fatal(n, len(msgs))
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	must(t, err)
	file := os.NewFile(uintptr(fds[0]), "")
	defer file.Close()
	data, err := io.ReadAll(io.NewSectionReader(file, 0, 8<<20))
	must(t, err)
	seals, err := unix.FcntlInt(file.Fd(), unix.F_GET_SEALS, 0)
	if err != nil || seals&unix.F_SEAL_WRITE == 0 || !bytes.Contains(data, []byte("HATCHDOG_EVENT="+large+"\n")) {
		t.Errorf("seals %d %v, %d bytes", seals, err, len(data))
	}
}

// A receiver that is gone before it has the bytes is an error, although writing to
// the socket was none.
func TestStreamNeedsAnAcknowledgement(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	s := &Syslog{Network: "tcp", Address: l.Addr().String(), Most: 4096}
	for _, reset := range []bool{true, false} {
		gone, dialed := make(chan struct{}), make(chan struct{})
		go func() {
			conn, _ := l.Accept()
			<-dialed
			if reset {
				conn.(*net.TCPConn).SetLinger(0)
			}
			conn.Close()
			close(gone)
		}()
		must(t, s.dial(t.Context()))
		close(dialed)
		<-gone
		if sent, err := s.Send(t.Context(), batch(1, "{}")); err == nil || sent.Done != 0 {
			t.Fatalf("reset %v: %+v %v", reset, sent, err)
		}
	}
	got := make(chan []byte, 1)
	go func() {
		conn, _ := l.Accept()
		data, _ := io.ReadAll(conn)
		got <- data
	}()
	sent, err := s.Send(t.Context(), batch(3, "{}"))
	if err != nil || sent.Done != 3 {
		t.Fatalf("%+v %v", sent, err)
	}
	must(t, s.Close())
	if data := <-got; bytes.Count(data, []byte(" hatchdog ")) != 3 {
		t.Errorf("%q", data)
	}
}

func certificate(t *testing.T, dir string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "siem"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		DNSNames: []string{"siem.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	file := filepath.Join(dir, fmt.Sprint(len(der), time.Now().UnixNano(), ".pem"))
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// Certificates are verified: another one's, and another name, are refused before a
// byte is sent.
func TestTLSIsVerified(t *testing.T) {
	dir := t.TempDir()
	pair, ca := certificate(t, dir)
	_, other := certificate(t, dir)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	must(t, err)
	defer l.Close()
	got := make(chan string, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			data, _ := io.ReadAll(conn)
			got <- string(data)
		}
	}()
	for _, c := range []struct {
		tls  config.TLS
		want string
	}{
		{config.TLS{CA: other}, "unknown authority"},
		{config.TLS{}, "unknown authority"},
		{config.TLS{CA: ca, ServerName: "evil.example"}, "evil.example"},
		{config.TLS{CA: ca}, ""},
		{config.TLS{CA: ca, ServerName: "siem.example"}, ""},
	} {
		s := &Syslog{Network: "tcp", Address: l.Addr().String(), Most: 4096, ECS: true, Secure: c.tls.Client}
		_, err := s.Send(t.Context(), batch(1, "{}"))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v", c.tls, err)
		}
		must(t, s.Close())
		if data := <-got; (c.want == "") != strings.Contains(data, `"@timestamp"`) {
			t.Errorf("%+v: %q", c.tls, data)
		}
	}
}

func TestSyslogDatagrams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	unixgram, err := net.ListenPacket("unixgram", path)
	must(t, err)
	defer unixgram.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	defer udp.Close()
	for network, l := range map[string]net.PacketConn{"unix": unixgram, "udp": udp} {
		s := &Syslog{Network: network, Address: l.LocalAddr().String(), Most: 2048}
		_, err := s.Send(t.Context(), batch(2, "{}"))
		must(t, err)
		for range 2 {
			buf := make([]byte, 4096)
			n, _, err := l.ReadFrom(buf)
			must(t, err)
			if !bytes.HasPrefix(buf[:n], []byte("<108>1 ")) || n > 2048 {
				t.Errorf("%q", buf[:n])
			}
		}
		must(t, s.Close())
	}
}

// A token goes to the receiver alone, and no error shows it or the address's path.
func TestTokensStayHere(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("asked elsewhere, with %q", r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	token := ""
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token = r.Header.Get("Authorization")
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}))
	file := filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(file, []byte("s3cret\n"), 0o600))
	w, err := NewWebhook(&config.Webhook{URL: h.URL + "/hooks/p4th", Token: config.Secret{File: file}}, "1", os.Getenv)
	must(t, err)
	if refused, err := w.Post(t.Context(), []byte("{}"), "k"); refused || err == nil || token != "Bearer s3cret" {
		t.Errorf("%v %v %q", refused, err, token)
	}
	h.Close()
	_, err = w.Post(t.Context(), []byte("{}"), "k")
	if err == nil || strings.Contains(err.Error(), "p4th") || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
}

// Nothing that a collector did not take counts as sent; what it rejects for good is
// told.
func TestOTLPAnswers(t *testing.T) {
	var got *collector.ExportLogsServiceRequest
	code, rejected := 0, int64(0)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code != 200 {
			w.WriteHeader(code)
			return
		}
		body, _ := io.ReadAll(r.Body)
		got = &collector.ExportLogsServiceRequest{}
		if err := proto.Unmarshal(body, got); err != nil || r.URL.Path != "/base/v1/logs" {
			t.Error(err, r.URL.Path)
		}
		answer, _ := proto.Marshal(&collector.ExportLogsServiceResponse{PartialSuccess: &collector.ExportLogsPartialSuccess{RejectedLogRecords: rejected, ErrorMessage: "no"}})
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.Write(answer)
	}))
	defer h.Close()
	o, err := NewOTLP(&config.OTLP{Endpoint: h.URL + "/base"}, encode.Host{Name: "h", Version: "1"}, os.Getenv)
	must(t, err)
	hostile := batch(3, "{}")
	hostile[1].Message = "\xff\x00\n"
	for _, c := range []struct {
		code     int
		rejected int64
		want     Sent
		fails    bool
	}{
		{503, 0, Sent{}, true},
		{401, 0, Sent{}, true},
		{404, 0, Sent{}, true},
		{400, 0, Sent{1, 1, "the collector answered 400"}, false},
		{200, 2, Sent{3, 2, "no"}, false},
		{200, 0, Sent{3, 0, "no"}, false},
	} {
		code, rejected = c.code, c.rejected
		sent, err := o.Send(t.Context(), hostile)
		if sent != c.want || (err != nil) != c.fails {
			t.Errorf("%d: %+v %v", c.code, sent, err)
		}
	}
	records := got.ResourceLogs[0].ScopeLogs[0].LogRecords
	if len(records) != 3 || records[1].Body.GetStringValue() != "\ufffd\x00\n" || records[2].EventName != "hatchdog.x" {
		t.Errorf("%v", records)
	}
	h.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if sent, err := o.Send(ctx, hostile); err == nil || sent.Done != 0 {
		t.Errorf("%+v %v", sent, err)
	}
	must(t, o.Close())
}
