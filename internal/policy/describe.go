package policy

// describe says what a key means, for the schema and the reference. The test
// fails for a key without a description.
func describe(key string) string { //nolint:funlen // a table, a line for each key
	switch key {
	case "Policy.mode":
		return "enforce, or complain: record what would change and change nothing"
	case "Policy.profile":
		return "the profile of whatever no rule matches"
	case "Policy.unrecorded":
		return "what exec and update do in a container that hatchdog did not create: refuse, or apply the profile that its spec resolves to"
	case "Policy.runtime":
		return "the low-level runtime that hatchdog execs"
	case "Policy.audit":
		return "the audit log"
	case "Policy.stateDir":
		return "where the records of the containers are; should be a tmpfs"
	case "Policy.ids":
		return "the ids of user namespaces"
	case "IDs.dir":
		return "the folder that keeps which container holds which ids"
	case "IDs.pool":
		return "FIRST:COUNT; without it the line of hatchdog in /etc/subuid and /etc/subgid, and without one 1879048192:267386880"
	case "Policy.offers":
		return "profiles that a workload may choose with the annotation hatchdog.dev/profile; what either profile forbids is forbidden"
	case "Policy.rules":
		return "which workload gets which profile; the first that matches wins"
	case "Runtime.path":
		return "absolute path; without it the first of runc and crun on PATH"
	case "Runtime.minVersion":
		return "an older version is refused"
	case "Runtime.accept":
		return "versions with a known way out of the container that are used all the same"
	case "Accepted.version":
		return "the low-level runtime and its version, as in \"runc 1.1.5+ds1\""
	case "Accepted.because":
		return "why, for whoever reads the policy; required"
	case "Accepted.open":
		return "the CVEs that stay open with it, each by name, or unknown for what hatchdog knows nothing of; the error of a version that is not accepted lists them"
	case "Audit.path":
		return "the log's file"
	case "Audit.onFailure":
		return "what a log that cannot be written means: refuse the container, or continue and say so"
	case "Audit.maxSize":
		return "the size at which a new segment is begun"
	case "Audit.keep":
		return "how many closed segments are kept"
	case "Rule.match":
		return "patterns that must all match; * matches anything"
	case "Rule.profile":
		return "the profile for what matches"
	case "Match.engine":
		return "docker, cri, ctr, podman, buildkit or other; told by where the bundle is"
	case "Match.namespace":
		return "the pod's namespace (CRI)"
	case "Match.pod":
		return "the pod's name (CRI)"
	case "Match.container":
		return "the container's name in the pod (CRI)"
	case "Match.image":
		return "the image as the engine's user named it"
	case "Match.id":
		return "the container's id"
	case "Match.sandbox":
		return "true: only pause containers of pods; false: only others"
	case "Match.name":
		return "the container's name in Docker, Podman or nerdctl"
	case "Match.label":
		return "patterns by label, each of which the container must have (Docker)"
	case "Match.imageDigest":
		return "the image's id, or the digest of its manifest: sha256:HEX; of a pod, the digest by which it names the image"
	case "Match.compose":
		return "patterns of project and service, as Docker Compose labels its containers"
	case "Rule.trust":
		return "parts of the match that are believed although the user who makes the container chooses them; without it such a rule only narrows"
	case "Policy.because":
		return "why unrecorded or audit.onFailure weaken the policy; `hatchctl policy check` requires it"
	case "Rule.because":
		return "why trust is given, for whoever reads the policy; required with it"
	}
	return describeProfile(key)
}
