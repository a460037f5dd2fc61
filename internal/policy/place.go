package policy

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// syntax takes the line out of an error of the YAML library: "yaml: line 3:
// what".
func syntax(err error) (line int, what string) {
	what = strings.TrimPrefix(err.Error(), "yaml: ")
	if n, _ := fmt.Sscanf(what, "line %d:", &line); n == 1 {
		_, what, _ = strings.Cut(what, ": ")
		return line, what
	}
	return 1, what
}

// place finds the scalar value below the keys in a profile's own text; nil
// where it is not there: then it is of the profile that it extends, and was
// told there.
func place(n *yaml.Node, value string, keys ...string) *yaml.Node {
	for _, key := range keys {
		if n = member(n, key); n == nil {
			return nil
		}
	}
	return scalar(n, value)
}

func member(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func scalar(n *yaml.Node, value string) *yaml.Node {
	if n.Kind == yaml.ScalarNode && n.Value == value {
		return n
	}
	for _, c := range n.Content {
		if found := scalar(c, value); found != nil {
			return found
		}
	}
	return nil
}
