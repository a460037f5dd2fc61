package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// The comment of each package says what it guarantees, what it leaves to others, what
// it needs and which fields of the spec it writes, in this order.
func TestPackageComments(t *testing.T) {
	said := map[string]string{}
	err := filepath.WalkDir("../../internal", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "tools") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil || f.Name.Name == "main" {
			return err
		}
		said[filepath.Dir(path)] += f.Doc.Text()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(said) < 50 {
		t.Errorf("%d packages", len(said))
	}
	for dir, text := range said {
		at := 0
		for _, part := range []string{"Guarantees:", "Does not cover:", "Requires:", "Spec fields touched:"} {
			next := strings.Index(text, "\n"+part)
			if next < at || strings.Count(text, "\n"+part) > 1 {
				t.Errorf("%s: the comment of the package has no %q, or in another place", dir, part)
				break
			}
			at = next
		}
	}
}
