package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

const root = "../.."

// Each page of docs/ is in the menu once, and nothing else is.
func TestMenu(t *testing.T) {
	want := []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(file string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(file, ".md") {
			rel, _ := filepath.Rel(root, file) // both are below the same directory
			want = append(want, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range kinds() {
		for _, e := range k.Pages {
			got = append(got, e.File)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the menu has\n%s\nand docs/ has\n%s", got, want)
	}
}

// document is what a written page has.
type document struct {
	ids    map[string]bool
	links  []string // of a and img
	assets []string // of link
	bad    []string // what a page has not to have
	h1     int
}

func read(t *testing.T, file string) document {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tree, err := html.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	d := document{ids: map[string]bool{}}
	for n := range tree.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if slices.Contains([]string{"script", "style", "iframe", "object"}, n.Data) {
			d.bad = append(d.bad, n.Data)
		}
		if n.Data == "h1" {
			d.h1++
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "id" && d.ids[a.Val]:
				d.bad = append(d.bad, "a second id "+a.Val)
			case a.Key == "id":
				d.ids[a.Val] = true
			case n.Data == "link" && a.Key == "href":
				d.assets = append(d.assets, a.Val)
			case a.Key == "href", a.Key == "src":
				d.links = append(d.links, a.Val)
			case strings.HasPrefix(a.Key, "on"):
				d.bad = append(d.bad, a.Key)
			}
		}
	}
	return d
}

// Every link between pages leads to a page and a heading that are there; one to
// the repository names a file that is there. Nothing comes from elsewhere.
func TestLinks(t *testing.T) {
	out := t.TempDir()
	n, err := write(root, filepath.Join(out, "site"))
	if err != nil {
		t.Fatal(err)
	}
	site := filepath.Join(out, "site")
	pages := map[string]document{}
	err = filepath.WalkDir(site, func(file string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(file, ".html") {
			rel, _ := filepath.Rel(site, file) // both are below the same directory
			pages[rel] = read(t, file)
		}
		return err
	})
	if err != nil || len(pages) != n || n < 20 {
		t.Fatalf("%d pages, %d files: %v", n, len(pages), err)
	}
	between := 0
	for name, d := range pages {
		if d.h1 != 1 || len(d.bad) > 0 {
			t.Errorf("%s has %d first headings, and %q", name, d.h1, d.bad)
		}
		for _, a := range d.assets {
			if _, err := os.Stat(filepath.Join(site, path.Dir(name), a)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, to := range d.links {
			switch file, ours := strings.CutPrefix(to, source); {
			case ours:
				file, _, _ = strings.Cut(file, "#")
				if _, err := os.Stat(filepath.Join(root, file)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			case strings.Contains(to, "://"):
			default:
				between++
				follow(t, site, pages, name, to)
			}
		}
	}
	if between < 20*n {
		t.Errorf("only %d links between pages", between)
	}
}

func follow(t *testing.T, site string, pages map[string]document, from, to string) {
	t.Helper()
	file, id, _ := strings.Cut(to, "#")
	target := from
	if file != "" {
		target = path.Join(path.Dir(from), file)
	}
	d, page := pages[target]
	if _, err := os.Stat(filepath.Join(site, target)); err != nil || id != "" && (!page || !d.ids[id]) {
		t.Errorf("%s: %s leads nowhere", from, to)
	}
}

// HTML in a page is an error, and comments are not shown.
func TestHTML(t *testing.T) {
	if _, err := render(Entry{File: "docs/x.md"}, []byte("# X\n\na <b>b</b>\n"), nil); err == nil {
		t.Error("HTML is taken")
	}
	p, err := render(Entry{File: "docs/x/y.md"}, []byte("# X `y`\n\n<!-- made -->\n\n[p](../policy.md#k) [s](../../profiles/a.yaml) [m](z.md)\n\n| a |\n|---|\n| b |\n"), map[string]bool{"docs/policy.md": true})
	if err != nil {
		t.Fatal(err)
	}
	body := string(p.Body)
	if p.Heading != "X y" || p.Up != "../" || strings.Contains(body, "<!--") || strings.Contains(body, "<h1") {
		t.Errorf("%+v", p)
	}
	for _, want := range []string{`href="../policy.html#k"`, `href="` + source + `profiles/a.yaml"`, `href="` + source + `docs/x/z.md"`, `<div class="table" tabindex="0"><table>`} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
}
