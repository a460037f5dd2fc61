package main

import (
	"bytes"
	"fmt"
	"html/template"
	"path"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// source is where a file of the repository is shown that is no page.
const source = "https://github.com/hatchdog/hatchdog/blob/main/"

// Page is a page as it is written.
type Page struct {
	Entry
	URL      string // relative to the site
	Up       string // from the page to the site's root: "", "../"
	Heading  string
	Body     template.HTML
	Sections []Section
}

// Section is a second heading.
type Section struct{ ID, Title string }

var markdown = goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithParserOptions(parser.WithAutoHeadingID()))

// url is where the page of a file is: README.md is the first.
func url(file string) string {
	if file == "README.md" {
		return "index.html"
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(file, "docs/"), ".md")) + ".html"
}

// render makes a page of a file's text. pages are those of the site, by file.
func render(e Entry, raw []byte, pages map[string]bool) (Page, error) {
	p := Page{Entry: e, URL: url(e.File), Heading: e.Title}
	p.Up = strings.Repeat("../", strings.Count(p.URL, "/"))
	doc := markdown.Parser().Parse(text.NewReader(raw))
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.HTMLBlock, *ast.RawHTML:
			return ast.WalkContinue, onlyComment(n, raw)
		case *ast.Link:
			n.Destination = []byte(p.link(string(n.Destination), pages))
		case *ast.Image:
			n.Destination = []byte(p.Up + path.Base(string(n.Destination)))
		case *ast.Heading:
			p.note(n, raw)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return p, fmt.Errorf("%s: %w", e.File, err)
	}
	drop(doc)
	var b bytes.Buffer
	if err := markdown.Renderer().Render(&b, raw, doc); err != nil {
		return p, fmt.Errorf("%s: %w", e.File, err)
	}
	// A table that is wider than a phone scrolls by itself.
	html := strings.NewReplacer("<table>", `<div class="table" tabindex="0"><table>`, "</table>", "</table></div>").Replace(b.String())
	p.Body = template.HTML(html)
	return p, nil
}

// note keeps the headings for the top of the page.
func (p *Page) note(n *ast.Heading, raw []byte) {
	id, _ := n.AttributeString("id")
	title := plain(n, raw)
	switch n.Level {
	case 1:
		p.Heading = title
	case 2:
		p.Sections = append(p.Sections, Section{fmt.Sprintf("%s", id), title})
	}
}

// plain is the text of a node without its marks.
func plain(n ast.Node, raw []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Value(raw))
			continue
		}
		b.WriteString(plain(c, raw))
	}
	return b.String()
}

// link turns a link between files of the repository into one between pages. What
// is no page is at its place in the repository.
func (p *Page) link(to string, pages map[string]bool) string {
	if strings.Contains(to, "://") || strings.HasPrefix(to, "#") || strings.HasPrefix(to, "mailto:") {
		return to
	}
	file, anchor, _ := strings.Cut(to, "#")
	file = path.Join(path.Dir(p.File), file)
	if anchor != "" {
		anchor = "#" + anchor
	}
	if !pages[file] {
		return source + file + anchor
	}
	return p.Up + url(file) + anchor
}

// onlyComment refuses HTML: what a page shows is written in Markdown.
func onlyComment(n ast.Node, raw []byte) error {
	var b strings.Builder
	switch n := n.(type) {
	case *ast.HTMLBlock:
		b.Write(n.Lines().Value(raw))
	case *ast.RawHTML:
		b.Write(n.Segments.Value(raw))
	}
	if s := strings.TrimSpace(b.String()); !strings.HasPrefix(s, "<!--") {
		return fmt.Errorf("HTML: %s", s)
	}
	return nil
}

// drop takes comments away, and the heading, which the layout has.
func drop(doc ast.Node) {
	var gone []ast.Node
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // it has no error of its own
		h, heading := n.(*ast.Heading)
		html := n.Kind() == ast.KindHTMLBlock || n.Kind() == ast.KindRawHTML
		if entering && (html || heading && h.Level == 1) {
			gone = append(gone, n)
		}
		return ast.WalkContinue, nil
	})
	for _, n := range gone {
		n.Parent().RemoveChild(n.Parent(), n)
	}
}
