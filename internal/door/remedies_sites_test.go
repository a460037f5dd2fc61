package door

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// builder is a function that makes a refusal of what it is given: the place
// that calls it decides.
type builder struct {
	name   string
	reason int // which of its parameters is the reason
}

// refusalSites finds each place of the code that refuses: "control/hooks:refusal#1"
// is the first one in that function.
func refusalSites(t *testing.T, root string) []string {
	t.Helper()
	var sites []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || d.Name() == "testdata" {
			return err
		}
		rel, err := filepath.Rel(root, path)
		sites = append(sites, packageSites(t, path, filepath.ToSlash(rel))...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sites
}

func packageSites(t *testing.T, dir, name string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var funcs []*ast.FuncDecl
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
				funcs = append(funcs, f)
			}
		}
	}
	var builders []builder
	for {
		before := len(builders)
		for _, f := range funcs {
			_, builders = sitesIn(f, builders)
		}
		if len(builders) == before {
			break
		}
	}
	var sites []string
	for _, f := range funcs {
		n, _ := sitesIn(f, builders)
		for i := range n {
			sites = append(sites, fmt.Sprintf("%s:%s#%d", name, f.Name.Name, i+1))
		}
	}
	return sites
}

// sitesIn counts the places of one function that refuse for a reason of their
// own, and finds the builders in it.
func sitesIn(f *ast.FuncDecl, builders []builder) (int, []builder) {
	n := 0
	type scope struct {
		name   string
		params []string
	}
	note := func(s []scope, reason ast.Expr) {
		if id, ok := reason.(*ast.Ident); ok {
			for _, sc := range slices.Backward(s) {
				if i := slices.Index(sc.params, id.Name); i >= 0 && sc.name != "" {
					if b := (builder{sc.name, i}); !slices.Contains(builders, b) {
						builders = append(builders, b)
					}
					return
				}
			}
		}
		n++
	}
	var walk func(node ast.Node, s []scope)
	walk = func(node ast.Node, s []scope) {
		ast.Inspect(node, func(x ast.Node) bool {
			switch x := x.(type) {
			case *ast.AssignStmt: // a closure with a name
				if len(x.Rhs) == 1 && len(x.Lhs) == 1 {
					lit, ok := x.Rhs[0].(*ast.FuncLit)
					if id, named := x.Lhs[0].(*ast.Ident); ok && named {
						walk(lit.Body, append(slices.Clone(s), scope{id.Name, params(lit.Type)}))
						return false
					}
				}
			case *ast.CompositeLit:
				if isRefusal(x.Type) {
					if reason := member(x, "Reason"); reason != nil {
						note(s, reason)
					} else if len(x.Elts) > 0 {
						n++ // set later
					}
				}
			case *ast.CallExpr:
				for _, b := range builders {
					if called(x) == b.name && b.reason < len(x.Args) {
						note(s, x.Args[b.reason])
						break
					}
				}
			}
			return true
		})
	}
	walk(f.Body, []scope{{f.Name.Name, params(f.Type)}})
	return n, builders
}

func params(t *ast.FuncType) []string {
	var names []string
	for _, field := range t.Params.List {
		for _, id := range field.Names {
			names = append(names, id.Name)
		}
	}
	return names
}

func isRefusal(t ast.Expr) bool {
	switch t := t.(type) {
	case *ast.SelectorExpr:
		return t.Sel.Name == "Refusal"
	case *ast.Ident:
		return t.Name == "Refusal"
	}
	return false
}

func member(lit *ast.CompositeLit, name string) ast.Expr {
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			if id, ok := kv.Key.(*ast.Ident); ok && id.Name == name {
				return kv.Value
			}
		}
	}
	return nil
}

func called(c *ast.CallExpr) string {
	switch f := c.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}
