package resources

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

var errLimit = errors.New("not a limit")

// unified holds the files of cgroup v2 that runc writes after all else, so
// that they win (cgroup-v2.rst).
func (e *edit) unified(r *specs.LinuxResources) {
	for _, key := range slices.Sorted(maps.Keys(r.Unified)) {
		field := "linux.resources.unified[" + key + "]"
		if strings.HasPrefix(key, "cgroup.") || strings.Contains(key, "/") {
			e.refuse(field, "onExcess.resources", "it is not a limit but a control of the group itself", "leave it out of the request")
			continue
		}
		next, err := e.file(key, r)
		if err != nil {
			e.refuse(field, "onExcess.resources", "the value cannot be read as a limit", "write a number, or max")
			continue
		}
		if was := r.Unified[key]; next != was {
			r.Unified[key] = next
			e.change(field, was, next, "the profile's ceiling")
		}
	}
}

// file is what a unified file may hold.
func (e *edit) file(key string, r *specs.LinuxResources) (string, error) {
	value := r.Unified[key]
	p := e.profile
	switch key {
	case "pids.max":
		return clipText(value, p.Pids.Max)
	case "memory.max", "memory.high":
		return clipText(value, p.Memory.Max)
	case "memory.min", "memory.low":
		return clipText(value, p.Memory.Max)
	case "memory.swap.max":
		return clipText(value, p.Memory.Swap)
	case "cpu.max":
		return clipCPU(value, p.CPU.MaxMilli)
	}
	return value, nil
}

func clipText(value string, ceiling *int64) (string, error) {
	if ceiling == nil {
		return value, nil
	}
	if strings.TrimSpace(value) == "max" {
		return strconv.FormatInt(*ceiling, 10), nil
	}
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil || n < 0 {
		return "", errLimit
	}
	if n <= *ceiling {
		return value, nil
	}
	return strconv.FormatInt(*ceiling, 10), nil
}

// clipCPU reads "QUOTA PERIOD", "QUOTA" and "max".
func clipCPU(value string, ceiling *int64) (string, error) {
	if ceiling == nil {
		return value, nil
	}
	fields := strings.Fields(value)
	period := int64(defaultPeriod)
	if len(fields) == 2 {
		var err error
		if period, err = strconv.ParseInt(fields[1], 10, 64); err != nil || period < minPeriod || period > maxPeriod {
			return "", errLimit
		}
	}
	if len(fields) < 1 || len(fields) > 2 {
		return "", errLimit
	}
	most := max(period**ceiling/1000, 1)
	if fields[0] != "max" {
		n, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil || n < 0 {
			return "", errLimit
		}
		if n <= most {
			return value, nil
		}
	}
	return strconv.FormatInt(most, 10) + " " + strconv.FormatInt(period, 10), nil
}
