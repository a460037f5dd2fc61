package encode

import (
	"time"

	"github.com/hatchdog/hatchdog/internal/export/record"
)

// ecsVersion is that of the Elastic Common Schema whose fields are used.
const ecsVersion = "9.2.0"

// ECS is a record as a document of the Elastic Common Schema, in at most most
// bytes: event.original is left out where it is too long.
func ECS(r record.Record, h Host, most int) []byte {
	if whole := ecs(r, h, 1024, true); most == 0 || len(whole) <= most {
		return whole
	}
	return fit(most, func(text int) []byte { return ecs(r, h, text, false) })
}

func ecs(r record.Record, h Host, text int, original bool) []byte {
	c := func(s string) string { return cut(s, text) }
	event := object{
		"kind": ecsKind(r), "category": []string{"configuration"}, "type": ecsType(r), "action": c(r.Action), "outcome": ecsOutcome(r),
		"provider": "hatchdog", "module": "hatchdog", "dataset": "hatchdog.audit", "code": c(r.Kind), "sequence": r.Seq, "severity": int(r.Severity),
	}
	if original && len(r.Line) > 0 {
		event["original"] = string(r.Line)
	}
	doc := object{
		"@timestamp": r.Time.UTC().Format(time.RFC3339Nano),
		"ecs":        object{"version": ecsVersion},
		"message":    c(r.Message),
		"event":      event.without(),
		"log":        object{"level": r.Severity.String()},
		"host":       object{"name": c(h.Name)}.without(),
		"container": object{
			"id": c(r.Container.ID), "name": c(r.Container.Name), "runtime": c(r.Container.Engine), "image": object{"name": c(r.Container.Image)}.without(),
		}.without(),
		"observer": object{"vendor": "hatchdog", "product": "hatchdog", "type": "container", "version": c(h.Version)}.without(),
		"rule":     object{"name": c(r.Profile)}.without(),
		"hatchdog": object{
			"mode": c(r.Mode), "outcome": c(r.Outcome), "line_hash": c(r.Hash), "missing": number(r.Missing), "unnamed": number(uint64(r.Unnamed)),
		}.without(),
	}
	if r.Container.Pod != "" {
		doc["orchestrator"] = object{
			"type": "kubernetes", "namespace": c(r.Container.Namespace), "resource": object{"type": "pod", "name": c(r.Container.Pod)},
		}
	}
	if r.Technique != "" {
		doc["threat"] = object{"framework": "MITRE ATT&CK", "technique": object{"id": []string{c(r.Technique)}}}
	}
	return document(doc.without())
}

type object map[string]any

// without leaves out what is empty.
func (o object) without() object {
	for key, v := range o {
		if inner, ok := v.(object); ok && len(inner) == 0 || v == "" || v == nil {
			delete(o, key)
		}
	}
	return o
}

// number is nil for none.
func number(n uint64) any {
	if n == 0 {
		return nil
	}
	return n
}

func ecsKind(r record.Record) string {
	switch {
	case r.Kind == record.Lost || r.Kind == record.Dropped:
		return "pipeline_error"
	case r.Technique != "" || r.Severity <= record.Error:
		return "alert"
	}
	return "event"
}

func ecsType(r record.Record) []string {
	switch r.Outcome {
	case "refused":
		return []string{"denied"}
	case "tightened":
		return []string{"change"}
	case "unchanged":
		return []string{"allowed"}
	}
	return []string{"info"}
}

func ecsOutcome(r record.Record) string {
	switch r.Outcome {
	case "refused":
		return "failure"
	case "tightened", "unchanged", "complained":
		return "success"
	}
	return "unknown"
}
