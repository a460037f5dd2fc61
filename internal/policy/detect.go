package policy

import (
	"reflect"

	"go.yaml.in/yaml/v3"
)

// Answer is what `hatchctl watch` does when it detects something. It always tells.
type Answer string

// The answers, in the order in which they are given.
const (
	AnswerAlert   Answer = "alert"   // tell, and nothing else
	AnswerFreeze  Answer = "freeze"  // stop all processes of the container
	AnswerIsolate Answer = "isolate" // cut it off the network
	AnswerCapture Answer = "capture" // keep what it looks like
	AnswerKill    Answer = "kill"    // end all processes of the container
)

func answers() []Answer {
	return []Answer{AnswerAlert, AnswerFreeze, AnswerIsolate, AnswerCapture, AnswerKill}
}

// Answers are what is done on one kind of detection. In a policy a word stands for
// the list of that word.
type Answers []Answer

// DetectRules say how `hatchctl watch` answers what it detects. They change nothing
// in the spec.
type DetectRules struct {
	Escape     Answers `json:"escape,omitempty"`
	Drift      Answers `json:"drift,omitempty"`
	Capability Answers `json:"capability,omitempty"`
	Setuid     Answers `json:"setuid,omitempty"`
	Calls      Answers `json:"calls,omitempty"`
	Kernel     Answers `json:"kernel,omitempty"`
	Sockets    Answers `json:"sockets,omitempty"`
	Trace      Answers `json:"trace,omitempty"`
	Metadata   Answers `json:"metadata,omitempty"`
	Network    Answers `json:"network,omitempty"`
	Files      Answers `json:"files,omitempty"`
	Gone       Answers `json:"gone,omitempty"`
	Flood      Answers `json:"flood,omitempty"`
}

// For finds the answers to a kind of detection, which has the name of its key.
func (d DetectRules) For(kind string) Answers {
	v := reflect.ValueOf(d)
	for i := range v.NumField() {
		if name, _ := fieldName(v.Type().Field(i)); name == kind {
			return v.Field(i).Interface().(Answers)
		}
	}
	return nil
}

// Kinds are the kinds of detection that have answers.
func (d DetectRules) Kinds() []string {
	var all []string
	t := reflect.TypeFor[DetectRules]()
	for i := range t.NumField() {
		name, _ := fieldName(t.Field(i))
		all = append(all, name)
	}
	return all
}

// meetDetect answers with whatever a or b answers.
func meetDetect(a, b DetectRules) DetectRules {
	own, other := reflect.ValueOf(&a).Elem(), reflect.ValueOf(b)
	for i := range own.NumField() {
		both := union(own.Field(i).Interface().(Answers), other.Field(i).Interface().(Answers))
		own.Field(i).Set(reflect.ValueOf(Answers(both)))
	}
	return a
}

// listed is the list that a word stands for.
func listed(n *yaml.Node, t reflect.Type) *yaml.Node {
	if t != reflect.TypeFor[Answers]() || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return n
	}
	return &yaml.Node{Kind: yaml.SequenceNode, Line: n.Line, Column: n.Column, Content: []*yaml.Node{n}}
}

func describeDetect(key string) string {
	switch key {
	case "Profile.detect":
		return "how `hatchctl watch` answers what it detects in the container: alert, freeze, isolate, capture, kill; it always tells. docs/watch.md has the detections"
	case "DetectRules.escape":
		return "a process has a root, a namespace or a control group that is not its container's"
	case "DetectRules.drift":
		return "a program is executed that the image does not hold"
	case "DetectRules.capability":
		return "a capability is used that the container was not given"
	case "DetectRules.setuid":
		return "a program changes its user by a setuid bit"
	case "DetectRules.calls":
		return "a call succeeds that makes or enters namespaces, mounts, or loads code into the kernel"
	case "DetectRules.kernel":
		return "a file of the kernel is opened for writing that rules the whole host, or that is masked"
	case "DetectRules.sockets":
		return "a socket of an engine is connected to"
	case "DetectRules.trace":
		return "a process of another container is traced, or its memory is read or written"
	case "DetectRules.metadata":
		return "packets to the address of a cloud's metadata were dropped"
	case "DetectRules.network":
		return "many packets, or packets to many destinations, were dropped"
	case "DetectRules.files":
		return "a file of hatchdog, of the low-level runtime or of an engine is changed from within the container"
	case "DetectRules.gone":
		return "the container's network rules or its AppArmor profile are gone"
	case "DetectRules.flood":
		return "the container makes more events than are kept"
	}
	return ""
}
