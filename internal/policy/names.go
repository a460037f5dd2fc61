package policy

import (
	"reflect"
	"strings"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// controlNames are the controls, in the order of the plan.
func controlNames() []string {
	return []string{UserNS, Capabilities, Seccomp, Privilege, Apparmor, Namespaces, Mounts, Devices, Resources, Sysctls, Hooks, Annotations, Egress}
}

// valuesOf lists what a named string type may hold; nil is anything.
func valuesOf(t reflect.Type) []string {
	switch t {
	case reflect.TypeFor[Excess]():
		return []string{string(Tighten), string(Refuse)}
	case reflect.TypeFor[UnknownFields]():
		return []string{string(KeepUnknown), string(RefuseUnknown)}
	case reflect.TypeFor[Others]():
		return []string{string(OthersRefuse), string(OthersAdmit)}
	case reflect.TypeFor[Restore]():
		return []string{string(RestoreRefuse), string(RestoreAdmit)}
	case reflect.TypeFor[NonRootCaps]():
		return []string{string(NonRootAmbient), string(NonRootKeep)}
	case reflect.TypeFor[Access]():
		return []string{string(AccessNone), string(AccessRO), string(AccessRW)}
	case reflect.TypeFor[MountFlag]():
		return []string{string(NoExec), string(NoSuid), string(NoDev)}
	case reflect.TypeFor[ProcOption]():
		return []string{string(ProcInvisible), string(ProcPtraceable)}
	case reflect.TypeFor[SeccompTable]():
		return seccompTables()
	case reflect.TypeFor[Require]():
		return []string{string(IfAvailable), string(Always), string(Never)}
	case reflect.TypeFor[Missing]():
		return []string{string(RefuseMissing), string(ContinueMissing)}
	case reflect.TypeFor[egress.Verdict]():
		return []string{string(egress.Allow), string(egress.Deny)}
	case reflect.TypeFor[Unlisted]():
		return []string{string(AnswerNXDomain), string(AnswerRefused)}
	case reflect.TypeFor[UserNSMode]():
		return []string{string(UserNSAuto), string(UserNSRequired), string(UserNSOff)}
	case reflect.TypeFor[VolumeMode]():
		return []string{string(VolumeTransparent), string(VolumeShifted), string(VolumeRO), string(VolumeShiftedRO)}
	case reflect.TypeFor[Answer]():
		return names(answers())
	case reflect.TypeFor[Claim]():
		return []string{string(ClaimName), string(ClaimLabel), string(ClaimImage), string(ClaimCompose)}
	case reflect.TypeFor[Mode]():
		return []string{string(Enforce), string(Complain)}
	case reflect.TypeFor[OnFailure]():
		return []string{string(FailRefuse), string(FailContinue)}
	case reflect.TypeFor[Unrecorded]():
		return []string{string(UnrecordedRefuse), string(UnrecordedProfile)}
	}
	return nil
}

func names[T ~string](all []T) []string {
	var out []string
	for _, one := range all {
		out = append(out, string(one))
	}
	return out
}

// keysOf lists the keys that the map at key may hold; nil is any.
func keysOf(t reflect.Type, key string) []string {
	switch {
	case strings.HasSuffix(key, "onExcess"):
		return controlNames()
	case strings.HasSuffix(key, "compose"):
		return []string{"project", "service"}
	case t.Elem() == reflect.TypeFor[RlimitRule]():
		return rlimitNames()
	}
	return nil
}

// rlimitNames are the resource limits of Linux (getrlimit(2)).
func rlimitNames() []string {
	return []string{
		"RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_LOCKS", "RLIMIT_MEMLOCK",
		"RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_RSS", "RLIMIT_RTPRIO",
		"RLIMIT_RTTIME", "RLIMIT_SIGPENDING", "RLIMIT_STACK",
	}
}
