package main

import (
	"bytes"
	_ "embed" // the template and the style
	"fmt"
	"html/template"
	"os"
	"path/filepath"
)

//go:embed page.html
var layout string

//go:embed style.css
var style []byte

// pictures are the files that pages show.
func pictures() []string { return []string{"docs/demo.svg"} }

// write makes the site anew and says how many pages it has.
func write(root, out string) (int, error) {
	t, err := template.New("page").Parse(layout)
	if err != nil {
		return 0, err
	}
	all, err := load(root)
	if err != nil {
		return 0, err
	}
	if err := os.RemoveAll(out); err != nil {
		return 0, err
	}
	for i, p := range all {
		data := struct {
			Page
			Kinds          []Kind
			Before, Behind *Page
		}{Page: p, Kinds: kinds()}
		if i > 0 {
			data.Before = &all[i-1]
		}
		if i+1 < len(all) {
			data.Behind = &all[i+1]
		}
		var b bytes.Buffer
		if err := t.Execute(&b, data); err != nil {
			return 0, fmt.Errorf("%s: %w", p.File, err)
		}
		if err := put(filepath.Join(out, p.URL), b.Bytes()); err != nil {
			return 0, err
		}
	}
	for _, f := range pictures() {
		data, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			return 0, err
		}
		if err := put(filepath.Join(out, filepath.Base(f)), data); err != nil {
			return 0, err
		}
	}
	return len(all), put(filepath.Join(out, "style.css"), style)
}

// load renders every page of the menu, in its order.
func load(root string) ([]Page, error) {
	pages := map[string]bool{}
	for _, k := range kinds() {
		for _, e := range k.Pages {
			pages[e.File] = true
		}
	}
	var all []Page
	for _, k := range kinds() {
		for _, e := range k.Pages {
			raw, err := os.ReadFile(filepath.Join(root, e.File))
			if err != nil {
				return nil, err
			}
			p, err := render(e, raw, pages)
			if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
	}
	return all, nil
}

func put(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

// Link is where the page of an entry is, from this one.
func (p Page) Link(e Entry) string { return p.Up + url(e.File) }

// Here reports whether an entry is this page.
func (p Page) Here(e Entry) bool { return p.File == e.File }
