package explain

import (
	"slices"
	"strings"

	"github.com/hatchdog/hatchdog/internal/control"
)

// Wise says whether it is wise to admit what was refused, by what all of its
// grants give away.
func Wise(r *control.Refusal) string {
	if len(r.Grants) == 0 {
		return "no policy admits it: change the request"
	}
	words := make([]string, 0, len(r.Grants))
	for _, g := range r.Grants {
		if w := wise(g); !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return strings.Join(words, "; ")
}

// WiseGrant is Wise of one key.
func WiseGrant(g control.Grant) string { return wise(g) }

// noWords is for a key that nothing is said of; a test keeps it from being used.
const noWords = "it widens the profile: know why"

func wise(g control.Grant) string {
	switch key := g.Key; {
	case strings.HasPrefix(key, "onExcess."):
		return "yes: the container starts with less than it asked for"
	case key == "namespaces.host":
		return "no, except for agents of the host: " + hostNamespace(g.Value)
	case key == "namespaces.join":
		return "for containers that belong together: they can act on each other"
	case key == "mounts.allow", key == "mounts.sockets":
		return mountWords(g.Value)
	case key == "rootfs.allow":
		return "for a folder that holds nothing but root file systems: the container writes to it"
	case key == "devices.allow":
		return deviceWords(g.Value)
	case strings.HasPrefix(key, "hooks."):
		return "no, except for a program that you know: a hook runs as the host's root, outside of the container"
	case key == "seccomp.listeners":
		return "no, except for a supervisor that you run: whoever owns the socket decides the container's system calls"
	case key == "privilege.selinuxTypes":
		return "no, except for agents of the host: the type decides what SELinux keeps from the container"
	case strings.HasPrefix(key, "apparmor."):
		return "where the host cannot have the profile: AppArmor then keeps nothing from the container"
	case key == "prevent.require":
		return "where the kernel cannot have the guard: what the profile denies while it runs is not denied"
	case key == "userns.mode":
		return "where nothing else helps: root in the container is then root of the host, less what else is taken away"
	case key == "userns.size.max":
		return "yes: it takes more of the host's ids, and gives no privilege"
	case key == "sysctls.allow":
		return "for a setting of the container's own namespaces: yes, when the program needs it"
	case key == "unknownFields":
		return "no: nobody knows what the field does; update hatchdog first"
	case key == "restore":
		return "no, except for checkpoints that you made: their processes come back with all that they had"
	case key == "others":
		return "no: the container reaches what belongs to another one"
	case key == "unrecorded":
		return "for the time of a migration: what runs now was not held to the policy when it started"
	case key == "egress", key == "ingress", key == "rate.egress":
		return "where the container shares the network of another that is held: it has no network rules of its own then"
	case strings.HasPrefix(key, "capabilities."):
		return "for a program that you know: a capability is a part of root's power"
	case strings.HasPrefix(key, "seccomp."):
		return "for a program that fails without: each call is a way into the kernel"
	case strings.HasPrefix(key, "pids."), strings.HasPrefix(key, "memory."), strings.HasPrefix(key, "cpu."), strings.HasPrefix(key, "privilege."):
		return "with a number of your own in its place: without a limit it takes what the host's programs need"
	case key == "rootfs.readOnly":
		return "for a program that writes to its image: give it volumes instead, where you can"
	}
	return noWords
}

func hostNamespace(name string) string {
	switch name {
	case "pid":
		return "it sees every process of the host, and signals them"
	case "network":
		return "it reaches every service of the host's loopback, and the cloud's metadata"
	case "ipc":
		return "it reads the shared memory of the host's programs"
	}
	return "it shares what the host's own programs use"
}

func mountWords(value string) string {
	switch {
	case strings.Contains(value, ".sock"):
		return "no: whoever talks to the socket of an engine is root of the host; for another service, know what it does for its callers"
	case strings.Contains(value, "access: ro"):
		return "for files without secrets: the container reads them all"
	}
	return "no, except for agents of the host: the container writes to files that the host's programs trust; ro is better where reading is enough"
}

func deviceWords(value string) string {
	if !strings.Contains(value, "major") {
		return "no: every device of the kind, the host's disks or memory among them, is the container's"
	}
	return "for a device that the program drives: its driver in the kernel takes what the container sends"
}
