// Command registry serves the images that critest pulls, made from files of this
// host, in memory.
//
//	registry ADDRESS BUSYBOX.tar SERVERS.tar
//	registry effective-user
//
// BUSYBOX.tar and SERVERS.tar are root file systems, the second with nginx. It
// writes "ready" when all are there. The second form is a program of one of the
// images, setuid: it prints its effective user.
package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const effective = "effective-user"

func main() {
	if len(os.Args) == 2 && os.Args[1] == effective {
		fmt.Println("Effective uid:", os.Geteuid())
		return
	}
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: registry ADDRESS BUSYBOX.tar SERVERS.tar")
		os.Exit(2)
	}
	if err := serve(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

func serve(address, busybox, servers string) error {
	images, err := all(busybox, servers)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s := &http.Server{Handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))), ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	for where, image := range images {
		ref, err := name.ParseReference(address+"/"+where, name.Insecure)
		if err != nil {
			return err
		}
		if err := remote.Write(ref, image); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	fmt.Println("ready")
	return <-done
}

// nginx is a configuration for a port, with the pid where critest looks for it.
const nginx = `pid /var/run/nginx.pid; events {} http { access_log off; server { listen %d; root /usr/share/nginx/html; } }
`

// all are the images by name and tag.
func all(busybox, servers string) (map[string]v1.Image, error) {
	base, err := tarball.LayerFromFile(busybox)
	if err != nil {
		return nil, err
	}
	debian, err := tarball.LayerFromFile(servers)
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	m := maker{images: map[string]v1.Image{}}
	small := []v1.Layer{
		base,
		m.applets(),
		m.file("etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\ndefault-user:x:1000:1000::/home/default-user:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")),
		m.file("etc/group", 0o644, []byte("root:x:0:\nwww-data:x:33:\nusers:x:100:\ndefault-user:x:1000:\ngroup-defined-in-image:x:50000:default-user\n")),
	}
	with := func(more ...v1.Layer) []v1.Layer { return append(slices.Clone(small), more...) }
	m.add(v1.Config{Cmd: []string{"sh"}}, small, "e2e-test-images/busybox:1.29-2")
	m.add(v1.Config{Cmd: []string{"sh"}}, with(m.file("image", 0o644, []byte("pause"))), "pause:3.9", "pause:latest")
	m.add(v1.Config{Cmd: []string{"sh", "-c", "echo httpd -D FOREGROUND; mkdir -p /w; echo it works >/w/index.html; exec httpd -f -p 80 -h /w"}}, small, "e2e-test-images/httpd:2.4.39-4")
	m.add(v1.Config{Cmd: []string{"/effective", effective}}, with(m.file("effective", 0o4755, program)), "e2e-test-images/nonewprivs:1.3")
	for port, image := range map[int]string{80: "e2e-test-images/nginx:1.14-2", 12003: "k8s-staging-cri-tools/hostnet-nginx-amd64:latest"} {
		conf := m.file("etc/nginx/critest.conf", 0o644, fmt.Appendf(nil, nginx, port))
		page := m.file("usr/share/nginx/html/index.html", 0o644, []byte("Welcome to nginx!\n"))
		m.add(v1.Config{Cmd: []string{"nginx", "-c", "/etc/nginx/critest.conf", "-g", "daemon off;"}}, []v1.Layer{debian, conf, page}, image)
	}
	for user, image := range map[string]string{"1002": "user-uid", "www-data": "user-username", "1003:users": "user-uid-group", "www-data:www-data": "user-username-group"} {
		m.add(v1.Config{User: user, Cmd: []string{"sh"}}, small, "k8s-staging-cri-tools/test-image-"+image+":latest")
	}
	m.add(v1.Config{User: "1000", Cmd: []string{"sh"}}, small, "k8s-staging-cri-tools/test-image-predefined-group:latest")
	for _, image := range []string{"latest:latest", "tag:test", "tag:all", "digest:latest", "1:latest", "2:latest", "3:latest"} {
		m.add(v1.Config{Cmd: []string{"sh"}}, with(m.file("image", 0o644, []byte(image))), "k8s-staging-cri-tools/test-image-"+image)
	}
	m.add(v1.Config{Cmd: []string{"sh"}}, with(m.file("image", 0o644, []byte("tags"))), "k8s-staging-cri-tools/test-image-tags:1", "k8s-staging-cri-tools/test-image-tags:2", "k8s-staging-cri-tools/test-image-tags:3")
	return m.images, m.err
}

// maker makes images until one fails.
type maker struct {
	images map[string]v1.Image
	err    error
}

func (m *maker) add(c v1.Config, layers []v1.Layer, names ...string) {
	if m.err != nil {
		return
	}
	image, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		m.err = err
		return
	}
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	image, m.err = mutate.ConfigFile(image, config(image, c))
	for _, n := range names {
		m.images[n] = image
	}
}

func config(image v1.Image, c v1.Config) *v1.ConfigFile {
	file, err := image.ConfigFile()
	if err != nil {
		return nil
	}
	file = file.DeepCopy()
	file.Config, file.OS, file.Architecture = c, "linux", "amd64"
	return file
}

// file is a layer of one file.
func (m *maker) file(path string, mode int64, data []byte) v1.Layer {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	parts := strings.Split(path, "/")
	for i := range parts[:len(parts)-1] {
		m.note(w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: strings.Join(parts[:i+1], "/") + "/", Mode: 0o755}))
	}
	m.note(w.WriteHeader(&tar.Header{Name: path, Mode: mode, Size: int64(len(data))}))
	_, err := w.Write(data)
	m.note(err)
	m.note(w.Close())
	return m.layer(b.Bytes())
}

// applets is a layer of all that busybox can be called.
func (m *maker) applets() v1.Layer {
	names, err := exec.Command("/bin/busybox", "--list").Output()
	m.note(err)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name := range strings.FieldsSeq(string(names)) {
		if name != "busybox" {
			m.note(w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox", Mode: 0o777}))
		}
	}
	m.note(w.Close())
	return m.layer(b.Bytes())
}

func (m *maker) layer(archive []byte) v1.Layer {
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil })
	m.note(err)
	return l
}

func (m *maker) note(err error) {
	if m.err == nil {
		m.err = err
	}
}
