package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// file reads the top level of one file. Profiles are kept for resolve.
func (b *builder) file(s source, prefix string) {
	r := &reader{file: s.name}
	defer func() { b.errs = append(b.errs, r.errs...) }()
	root, err := parse(s.data)
	if err != nil {
		line, what := syntax(err)
		r.errs = append(r.errs, Error{File: s.name, Line: line, Column: 1, Message: what})
		return
	}
	if root == nil {
		return
	}
	versioned := false
	r.pairs(root, "", func(k, v *yaml.Node) {
		switch k.Value {
		case "version":
			versioned = true
			if v.Value != "1" {
				r.fail(v, "version", "1", "%q is not a version that is known", v.Value)
			}
		case "profiles":
			b.profiles(r, v, prefix)
		default:
			b.top(r, k, v)
		}
	})
	if !versioned {
		r.fail(root, "version", "", "missing; write version: 1")
	}
}

// parse reads one YAML document into its root node; nil for an empty one.
func parse(data []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	return doc.Content[0], nil
}

func (b *builder) profiles(r *reader, n *yaml.Node, prefix string) {
	r.pairs(n, "profiles", func(k, v *yaml.Node) {
		name := prefix + k.Value
		if have, twice := b.drafts[name]; twice {
			r.fail(k, "profiles."+k.Value, "", "given twice, first at %s:%d", have.file, have.at.Line)
			return
		}
		if prefix == "" && strings.Contains(k.Value, "/") {
			r.fail(k, "profiles."+k.Value, "", "a name with / is for built-in profiles")
			return
		}
		b.drafts[name] = draft{r.file, k, v}
	})
}

// top reads a top-level key of the policy. Rules of several files are put one
// behind the other; any other key is set once.
func (b *builder) top(r *reader, k, v *yaml.Node) {
	pv := reflect.ValueOf(&b.policy).Elem()
	names := []string{"version", "profiles"}
	for i := range pv.NumField() {
		name, unit := fieldName(pv.Type().Field(i))
		if name == "" {
			continue
		}
		names = append(names, name)
		if name != k.Value {
			continue
		}
		if name == "rules" {
			b.rules(r, v)
			return
		}
		if at, twice := b.set[name]; twice {
			r.fail(k, name, "", "set twice, first at %s", at)
			return
		}
		b.set[name] = fmt.Sprintf("%s:%d", r.file, k.Line)
		b.places[b.set[name]] = v
		if name == "runtime" && v.Kind == yaml.ScalarNode {
			b.policy.Runtime.Path = v.Value // runtime: /usr/bin/crun
			return
		}
		r.value(v, name, unit, pv.Field(i))
		return
	}
	r.fail(k, k.Value, nearest(k.Value, names), "unknown key")
}

func (b *builder) rules(r *reader, n *yaml.Node) {
	own := b.inline(r, n)
	var rules []Rule
	r.list(n, "rules", reflect.ValueOf(&rules).Elem())
	for i := range rules {
		rules[i].Origin = fmt.Sprintf("%s:%d", r.file, n.Content[i].Line)
		b.places[rules[i].Origin] = member(n.Content[i], "profile")
		if own[i] != nil {
			base := rules[i].Profile
			rules[i].Profile = rules[i].Origin
			b.drafts[rules[i].Origin] = draft{r.file, n.Content[i], own[i]}
			own[i].Content = append(own[i].Content, scalarNode(n.Content[i], "extends"), scalarNode(n.Content[i], b.full(base)))
		}
	}
	b.policy.Rules = append(b.policy.Rules, rules...)
}

// inline takes the keys of a profile out of each rule: a rule may change the
// profile that it gives, for its workloads alone.
func (b *builder) inline(r *reader, n *yaml.Node) []*yaml.Node {
	own := make([]*yaml.Node, len(n.Content))
	var keys []string
	t := reflect.TypeFor[Profile]()
	for i := range t.NumField() {
		if name, _ := fieldName(t.Field(i)); name != "" {
			keys = append(keys, name)
		}
	}
	for i, rule := range n.Content {
		if rule.Kind != yaml.MappingNode {
			continue
		}
		var why []*yaml.Node
		body, rest := &yaml.Node{Kind: yaml.MappingNode, Line: rule.Line, Column: rule.Column}, []*yaml.Node{}
		for j := 0; j+1 < len(rule.Content); j += 2 {
			if key := rule.Content[j].Value; key == "because" { // of the rule's trust, and of its own keys
				rest = append(rest, rule.Content[j], rule.Content[j+1])
				why = []*yaml.Node{rule.Content[j], rule.Content[j+1]}
			} else if slices.Contains(keys, key) {
				body.Content = append(body.Content, rule.Content[j], rule.Content[j+1])
			} else {
				rest = append(rest, rule.Content[j], rule.Content[j+1])
			}
		}
		if len(body.Content) > 0 {
			body.Content = append(body.Content, why...)
			rule.Content, own[i] = rest, body
		}
	}
	return own
}

func scalarNode(at *yaml.Node, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Line: at.Line, Column: at.Column}
}
