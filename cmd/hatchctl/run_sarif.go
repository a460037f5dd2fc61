package main

import "fmt"

// The level of a result in SARIF. An attempt at what nobody is led to is an error.
const (
	sarifError   = "error"
	sarifWarning = "warning"
	sarifNote    = "note"
)

// sarif has a result for each thing that the command did not get, in the order of
// the report, with the kind as the rule. They lie in the command.
func (rep runReport) sarif(command string) sarifLog {
	s := newSarif(command)
	for _, d := range rep.Denied {
		level := sarifWarning
		switch d.Kind {
		case lackMetadata, lackHost:
			level = sarifError
		case lackMemory, lackPids, lackTime, lackOutput:
			level = sarifNote
		}
		text := fmt.Sprintf("%d times denied: %s", d.Count, harmless(d.What))
		if d.Flag != "" {
			text += " (" + harmless(d.Flag) + ")"
		}
		s.add("box/"+d.Kind, level, "what a box denies: "+d.Kind, "", text)
	}
	if rep.Ended == "changed" {
		s.add("box/changed", sarifError, "a hidden or kept path that came open meanwhile", "", rep.cameOpen())
	}
	return s.log()
}
