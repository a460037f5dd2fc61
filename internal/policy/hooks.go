package policy

// HookRules is the allow list of hooks.
type HookRules struct {
	// Allow lists executables by the path that they resolve to.
	Allow []string `json:"allow"`
	// Env lists the environment variables that a hook may have. An entry that
	// ends in * is a prefix.
	Env []string `json:"env"`
	// Args lists the arguments that a hook may have, beside its own name. An
	// entry that ends in * is a prefix.
	Args []string `json:"args"`
	// DockerNetwork true admits Docker's libnetwork-setkey hook when its path
	// resolves to the running dockerd.
	DockerNetwork bool `json:"dockerNetwork"`
}

// AnnotationRules lists annotations that are stripped because the low-level
// runtime acts on them. An entry that ends in * is a prefix.
type AnnotationRules struct {
	Strip []string `json:"strip"`
}
