package policy

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func drawAnswers(t *rapid.T) Answers {
	return rapid.SliceOfDistinct(rapid.SampledFrom(answers()), rapid.ID).Draw(t, "answers")
}

func TestDetect(t *testing.T) {
	p, errs := build([]source{{"p.yaml", []byte(`version: 1
profile: mine
profiles:
  base: {extends: builtin/restricted, detect: {drift: [freeze, capture]}}
  mine: {extends: base, detect: {escape: [freeze, capture, isolate], metadata: isolate, drift: [inherited, kill]}}
`)}}, true)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	d := p.Profiles["mine"].Detect
	for kind, want := range map[string]Answers{
		"escape": {AnswerFreeze, AnswerCapture, AnswerIsolate}, "metadata": {AnswerIsolate}, "drift": {AnswerFreeze, AnswerCapture, AnswerKill}, "gone": nil, "nothing": nil,
	} {
		if got := d.For(kind); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", kind, got, want)
		}
	}
	for text, want := range map[string]string{
		"{drift: stop}":      `"stop" is not one of alert, freeze, isolate, capture, kill`,
		"{drift: {a: b}}":    "want a list",
		"{drift: [[alert]]}": "want a value",
		"{drit: alert}":      "unknown key",
		"{drift: }":          "want a list",
	} {
		_, errs := build([]source{{"p.yaml", []byte("version: 1\nprofile: mine\nprofiles:\n  mine: {extends: builtin/restricted, detect: " + text + "}\n")}}, true)
		if len(errs) == 0 || !strings.Contains(errs.Error(), want) {
			t.Errorf("%s: %v, want %q", text, errs, want)
		}
	}
}

func TestDetectIsDescribed(t *testing.T) {
	for _, kind := range (DetectRules{}).Kinds() {
		if describe("DetectRules."+kind) == "" {
			t.Errorf("%s has no description", kind)
		}
	}
}
