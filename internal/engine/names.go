package engine

import (
	"bytes"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Names are what an engine keeps of who a container is. A name that it does not
// keep is "" or nil.
type Names struct {
	Name    string
	Image   string   // as the engine's user named it
	Digests []string // of the image, "sha256:HEX": its id, and its manifest's
	Labels  map[string]string
}

// Read gives what is in a file of an engine's; nil is a file that is not there,
// or that others than the engine can write to.
type Read func(path string) []byte

// dockerConfig is the part of config.v2.json (moby, daemon/container/container.go)
// that says who a container is.
type dockerConfig struct {
	ID, Name, Image string
	Config          struct {
		Image  string
		Labels map[string]string
	}
	ImageManifest *struct {
		Digest string `json:"digest"`
	}
}

// Names: dockerd writes config.v2.json when a container is created, renamed and
// started, before it calls the runtime.
func (d docker) Names(a Asker, read Read) Names {
	for _, root := range d.Dirs(a) {
		data := read(filepath.Join(root.Actual, "containers", a.ID, "config.v2.json"))
		var c dockerConfig
		if data == nil || json.Unmarshal(data, &c) != nil || c.ID != a.ID {
			continue
		}
		n := Names{Name: strings.TrimPrefix(c.Name, "/"), Image: c.Config.Image, Labels: c.Config.Labels}
		if c.Image != "" {
			n.Digests = append(n.Digests, c.Image)
		}
		if m := c.ImageManifest; m != nil && m.Digest != "" && m.Digest != c.Image {
			n.Digests = append(n.Digests, m.Digest)
		}
		return n
	}
	return Names{}
}

// Names: of an image that the pod names by its digest, the digest is the image's.
func (e criContainerd) Names(a Asker, _ Read) Names {
	n := Names{Image: e.Pod(a).Image}
	if _, digest, found := strings.Cut(n.Image, "@"); found {
		n.Digests = []string{digest}
	}
	return n
}

// Names: nerdctl says in an annotation how a container is called.
func (ctr) Names(a Asker, _ Read) Names { return Names{Name: a.Spec.Annotations["nerdctl/name"]} }

// Names has no digest: CRI-O adds the annotations of the pod to its own.
func (e crio) Names(a Asker, _ Read) Names { return Names{Image: e.Pod(a).Image} }

// stored is a container in the list that containers/storage keeps.
type stored struct {
	ID       string   `json:"id"`
	Names    []string `json:"names"`
	Image    string   `json:"image"`    // its id, without the algorithm
	Metadata string   `json:"metadata"` // JSON of Podman's
}

// Names: the list is one file for all containers, and only this container's part is
// read.
func (podman) Names(a Asker, read Read) Names {
	lists := filepath.Dir(filepath.Dir(a.Bundle))
	for _, list := range []string{"containers.json", "volatile-containers.json"} {
		data := read(filepath.Join(lists, list))
		at := bytes.Index(data, []byte(`{"id":"`+a.ID+`"`))
		if at < 0 {
			continue
		}
		var c stored
		if json.UnmarshalDecode(jsontext.NewDecoder(bytes.NewReader(data[at:])), &c) != nil || c.ID != a.ID {
			continue
		}
		var about struct {
			Image string `json:"image-name"`
		}
		_ = json.Unmarshal([]byte(c.Metadata), &about) // without it the image has no name
		n := Names{Image: about.Image}
		if len(c.Names) > 0 {
			n.Name = c.Names[0]
		}
		if c.Image != "" {
			n.Digests = []string{"sha256:" + c.Image}
		}
		return n
	}
	return Names{}
}
