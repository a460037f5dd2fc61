package main

import (
	"net/url"

	"github.com/hatchdog/hatchdog/internal/decision"
)

// The part of SARIF 2.1.0 (OASIS, sarif-schema-2.1.0.json) that code scanners
// read.
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool    sarifTool     `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID    string       `json:"id"`
	Short sarifMessage `json:"shortDescription"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	Level     string          `json:"level"`
	Message   sarifMessage    `json:"message"`
	Locations []sarifLocation `json:"locations"`
}

type sarifMessage struct {
	Text string `json:"text"`
}

type sarifLocation struct {
	Physical sarifPhysical  `json:"physicalLocation"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifLogical struct {
	FullyQualifiedName string `json:"fullyQualifiedName"`
}

// sarifBuilder is one run of results about one file.
type sarifBuilder struct {
	file string
	run  sarifRun
	seen map[string]bool
}

func newSarif(file string) *sarifBuilder {
	s := &sarifBuilder{file: file, run: sarifRun{Results: []sarifResult{}}, seen: map[string]bool{}}
	s.run.Tool.Driver = sarifDriver{Name: "hatchdog", Version: version, Rules: []sarifRule{}}
	return s
}

func (s *sarifBuilder) add(rule, level, about, field, text string) {
	if !s.seen[rule] {
		s.seen[rule] = true
		s.run.Tool.Driver.Rules = append(s.run.Tool.Driver.Rules, sarifRule{rule, sarifMessage{about}})
	}
	at := sarifLocation{Physical: sarifPhysical{sarifArtifact{URI: (&url.URL{Path: s.file}).String()}}}
	if field != "" {
		at.Logical = []sarifLogical{{FullyQualifiedName: field}}
	}
	s.run.Results = append(s.run.Results, sarifResult{RuleID: rule, Level: level, Message: sarifMessage{text}, Locations: []sarifLocation{at}})
}

func (s *sarifBuilder) log() sarifLog {
	return sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{s.run},
	}
}

// toSARIF makes a refusal an error and a tightening a note, with the control
// as the rule.
func toSARIF(file string, d decision.Decision) sarifLog {
	s := newSarif(file)
	add := func(control, level, field, text string) {
		s.add(control, level, "hatchdog's control of "+control, field, text)
	}
	if d.Failure != "" {
		add("start", "error", "", d.Failure)
	}
	for _, r := range d.Refusals {
		add(r.Control, "error", r.Field, r.Error())
	}
	for _, c := range d.Changes {
		add(c.Control, "note", c.Field, c.Field+": "+orDash(c.Before)+" -> "+orDash(c.After)+": "+c.Reason)
	}
	return s.log()
}
