package main

// Kind is what a reader comes for (https://diataxis.fr).
type Kind struct {
	Title string
	Pages []Entry
}

// Entry is a page of the site: a file of the repository, and what the menu calls it.
type Entry struct{ File, Title string }

// kinds are the menu. Every page of docs/ is in it once.
func kinds() []Kind {
	return []Kind{
		{"Getting started", []Entry{
			{"README.md", "What hatchdog is"},
			{"docs/getting-started.md", "Three ways in"},
		}},
		{"How to", []Entry{
			{"docs/docker.md", "Run it under Docker"},
			{"docs/kubernetes.md", "Run it on Kubernetes"},
			{"docs/egress.md", "Limit the network"},
			{"docs/sandbox.md", "Run a command in a box"},
			{"docs/apparmor.md", "Confine with AppArmor"},
			{"docs/selinux.md", "Run under SELinux"},
			{"docs/export.md", "Send the audit log elsewhere"},
			{"docs/prevent.md", "Hold a container while it runs"},
			{"docs/upgrade.md", "Upgrade"},
			{"docs/troubleshooting.md", "Find out why it refused"},
			{"docs/why.md", "Find out why a program fails"},
			{"docs/learn.md", "Learn a profile"},
			{"docs/watch.md", "Watch what containers do"},
			{"docs/answer.md", "Freeze, cut off, keep the evidence"},
		}},
		{"Reference", []Entry{
			{"docs/policy.md", "The policy"},
			{"docs/commands.md", "Commands of hatchctl"},
			{"docs/profiles/baseline.md", "builtin/baseline"},
			{"docs/profiles/restricted.md", "builtin/restricted"},
			{"docs/profiles/untrusted.md", "builtin/untrusted"},
			{"docs/seccomp.md", "System calls"},
			{"docs/fields.md", "Fields of config.json"},
			{"docs/compatibility.md", "What it was tried with"},
			{"docs/suites.md", "Other runtimes' tests"},
			{"docs/performance.md", "What it costs"},
			{"CHANGELOG.md", "Changes"},
		}},
		{"Explanation", []Entry{
			{"docs/threat-model.md", "The threat model"},
			{"docs/architecture.md", "How a call goes"},
			{"docs/user-namespaces.md", "User namespaces"},
			{"docs/style.md", "How we write"},
			{"CONTRIBUTING.md", "Contributing"},
		}},
	}
}
