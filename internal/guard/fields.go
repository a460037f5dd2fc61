package guard

// The members of the documents, with the rule of each. One that is not here
// has no rule, and may not change.

func spec(name string) rule {
	switch name {
	case "process":
		return object(process)
	case "root":
		return object(root)
	case "mounts":
		return mounts
	case "hooks":
		return object(hooks)
	case "annotations":
		return onlyDropped("an annotation")
	case "linux":
		return object(linux)
	case "domainname":
		return domainName
	case "ociVersion", "hostname", "solaris", "windows", "vm", "zos", "freebsd":
		return same
	}
	return nil
}

func root(name string) rule {
	switch name {
	case "readonly":
		return onlyOn
	case "path":
		return rootPath
	}
	return nil
}

func hooks(name string) rule {
	switch name {
	case "createRuntime":
		return createRuntime
	case "createContainer":
		return createContainer
	case "prestart", "poststart", "poststop":
		return hostHooks
	case "startContainer":
		return onlyRemoved("a hook")
	}
	return nil
}

func process(name string) rule {
	switch name {
	case "capabilities":
		return capabilities
	case "noNewPrivileges":
		return onlyOn
	case "rlimits":
		return rlimits
	case "oomScoreAdj":
		return onlyUp
	case "user":
		return object(user)
	case "scheduler":
		return scheduler
	case "ioPriority":
		return ioPriority
	case "apparmorProfile":
		return apparmorProfile
	case "terminal", "consoleSize", "args", "commandLine", "env", "cwd", "selinuxLabel", "execCPUAffinity":
		return same
	}
	return nil
}

func user(name string) rule {
	switch name {
	case "umask":
		return umask
	case "additionalGids":
		return onlyRemoved("a group")
	case "uid", "gid", "username":
		return same
	}
	return nil
}

func linux(name string) rule {
	switch name {
	case "namespaces":
		return namespaces
	case "devices":
		return onlyRemoved("a device")
	case "resources":
		return object(resources)
	case "sysctl":
		return sysctls
	case "netDevices":
		return onlyDropped("a network device")
	case "maskedPaths", "readonlyPaths":
		return onlyAdded
	case "rootfsPropagation":
		return rootfsPropagation
	case "seccomp":
		return seccomp
	case "uidMappings", "gidMappings":
		return mappings
	case "timeOffsets", "cgroupsPath", "mountLabel", "intelRdt", "memoryPolicy", "personality":
		return same
	}
	return nil
}

func resources(name string) rule {
	switch name {
	case "devices":
		return deviceRules
	case "memory":
		return memory
	case "cpu":
		return cpu
	case "pids":
		return object(pids)
	case "unified":
		return object(unified)
	case "network":
		return object(network)
	case "blockIO", "hugepageLimits", "rdma":
		return same
	}
	return nil
}

func network(name string) rule {
	switch name {
	case "classID":
		return gone
	case "priorities":
		return same
	}
	return nil
}

func pids(name string) rule {
	if name == "limit" {
		return pidsLimit
	}
	return nil
}

func memoryMember(name string) rule {
	switch name {
	case "limit", "reservation", "swap":
		return limit
	case "disableOOMKiller":
		return onlyOff
	case "kernel", "kernelTCP", "swappiness", "useHierarchy", "checkBeforeUpdate":
		return same
	}
	return nil
}

func cpuMember(name string) rule {
	switch name {
	case "quota", "period":
		return nil // as one, see cpu
	case "realtimeRuntime", "realtimePeriod":
		return gone
	case "shares", "burst", "cpus", "mems", "idle":
		return same
	}
	return nil
}
