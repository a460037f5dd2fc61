// Package policy turns the administrator's files into an immutable Policy and
// answers which profile a workload gets.
//
// Guarantees: a file with an unknown key, a duplicate or a bad value is refused
// with its line and column; a choice of a workload's own can only narrow what the
// administrator's rules gave it.
// Does not cover: whether a policy is wise; `hatchctl policy check` names what
// weakens one.
// Requires: files that nobody but root, or the user that we are, can write to.
// Spec fields touched: none.
package policy

// Mode says whether the policy is applied or only recorded.
type Mode string

// The modes.
const (
	Enforce  Mode = "enforce"
	Complain Mode = "complain" // record what would change, change nothing
)

// OnFailure says what happens when the audit log cannot be written.
type OnFailure string

// The answers to an audit log that cannot be written.
const (
	FailRefuse   OnFailure = "refuse"   // the container is not started
	FailContinue OnFailure = "continue" // it starts; the loss is told on the engine's log
)

// Unrecorded says what exec and update do in a container that hatchdog did not
// create.
type Unrecorded string

// The answers to a container without a record.
const (
	UnrecordedRefuse  Unrecorded = "refuse"
	UnrecordedProfile Unrecorded = "profile" // apply the profile that its spec resolves to
)

// Policy is what the administrator wants. It is never changed once loaded.
type Policy struct {
	Mode       Mode       `json:"mode"`
	Profile    string     `json:"profile"` // for whatever no rule matches
	Unrecorded Unrecorded `json:"unrecorded"`
	Runtime    Runtime    `json:"runtime"`
	Audit      Audit      `json:"audit"`
	// StateDir is where the records are; it should be a tmpfs.
	StateDir string `json:"stateDir"`
	IDs      IDs    `json:"ids"`
	// Offers are the profiles that a workload may choose with the annotation
	// hatchdog.dev/profile. The choice is met with the profile of its rule.
	Offers   []string            `json:"offers"`
	Rules    []Rule              `json:"rules"`
	Profiles map[string]*Profile `json:"profiles" policy:"-"` // by full name: "builtin/restricted", "web"
	// Because is the reason for what weakens the policy (see Weak).
	Because string `json:"because,omitempty"`
	// Digest is the SHA-256 of the files that the policy came from, in hex.
	Digest string `json:"digest" policy:"-"`
	// Files are the paths it came from; empty for the embedded default.
	Files []string `json:"files" policy:"-"`

	set map[string]string // top-level key -> "FILE:LINE"
}

// Runtime names the low-level runtime.
type Runtime struct {
	Path       string `json:"path"` // absolute, or empty: runc, then crun on PATH
	MinVersion string `json:"minVersion"`
	// Accept lists versions with a known escape that are used all the same.
	Accept []Accepted `json:"accept"`
}

// Accepted is a version of a low-level runtime that is used although something
// of it is known, or nothing is.
type Accepted struct {
	Version string `json:"version"` // "NAME VERSION", as in "runc 1.1.5+ds1"
	Because string `json:"because"`
	// Open names all that stays open: the CVEs, or "unknown" for a runtime or a
	// version that hatchdog knows nothing of.
	Open []string `json:"open"`
}

// Audit says where the audit log is and how it is kept.
type Audit struct {
	Path      string    `json:"path"`
	OnFailure OnFailure `json:"onFailure"`
	MaxSize   int64     `json:"maxSize" policy:",bytes"` // bytes of one segment
	Keep      int       `json:"keep"`                    // closed segments kept
}

// Rule gives the workloads that match it a profile. The first match wins.
type Rule struct {
	Match   Match  `json:"match"`
	Profile string `json:"profile"`
	// Trust lists what of the match is believed although the workload's owner
	// chooses it. A rule that rests on anything else of that kind only narrows.
	Trust   []Claim `json:"trust,omitempty"`
	Because string  `json:"because,omitempty"` // why; it goes with Trust
	// Origin is "FILE:LINE" of the rule.
	Origin string `json:"origin" policy:"-"`
}

// Match is a conjunction of globs (path.Match, with * also matching /) over
// what workload.Identify knows. An empty field matches anything.
type Match struct {
	Engine    string `json:"engine,omitempty"` // docker, cri, ctr, podman, buildkit, other
	Namespace string `json:"namespace,omitempty"`
	Pod       string `json:"pod,omitempty"`
	Container string `json:"container,omitempty"`
	Image     string `json:"image,omitempty"`
	ID        string `json:"id,omitempty"`
	// Sandbox, when set, matches only CRI sandboxes (true) or only others.
	Sandbox *bool  `json:"sandbox,omitempty"`
	Name    string `json:"name,omitempty"` // outside of pods
	// Label holds patterns by label; the workload must have each.
	Label map[string]string `json:"label,omitempty"`
	// ImageDigest is the image's id or the digest of its manifest.
	ImageDigest string `json:"imageDigest,omitempty"`
	// Compose has patterns of project and service.
	Compose map[string]string `json:"compose,omitempty"`
}

// Claim is what a workload's owner chooses of who the workload is.
type Claim string

// The claims. An image is one outside of pods alone.
const (
	ClaimName    Claim = "name"
	ClaimLabel   Claim = "label"
	ClaimImage   Claim = "image"
	ClaimCompose Claim = "compose"
)
