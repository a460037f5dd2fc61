package guard

import (
	"math"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// A mapping is no member that only gets stricter or looser: which ids it holds
// decides whose files a container can touch. So those of the result are judged
// by themselves, also where they are as they were.

// ownMappings refuses a result whose mappings hold ids that are not the
// container's to have, and a mount whose mapping is not the container's.
func (c *check) ownMappings(after jsontext.Value) {
	if c.evidence.Foreign == nil {
		return
	}
	top, err := split(after)
	if err != nil {
		c.refuse("linux", err.Error())
		return
	}
	linux, err := split(find(top, "linux"))
	if err != nil {
		c.refuse("linux", err.Error())
		return
	}
	kinds := []string{"uidMappings", "gidMappings"}
	if c.users[1].there {
		for _, kind := range kinds {
			c.ownIDs("linux."+kind, find(linux, kind))
		}
	}
	all, err := list(find(top, "mounts"))
	if err != nil {
		c.refuse("mounts", err.Error())
		return
	}
	for _, v := range all {
		m, err := split(v)
		if err != nil {
			c.refuse("mounts", err.Error())
			continue
		}
		for _, kind := range kinds {
			mapping, err := list(find(m, kind))
			if err == nil && len(mapping) == 0 {
				continue
			}
			if err != nil || !c.users[1].there || !equal(find(m, kind), find(linux, kind)) {
				c.refuse("mounts[]."+kind, "a mapping that is not the container's")
			}
		}
	}
}

func (c *check) ownIDs(at string, mapping jsontext.Value) {
	lines, err := list(mapping)
	if err != nil {
		c.refuse(at, err.Error())
		return
	}
	for _, v := range lines {
		var m idMapping
		if !read(v, &m) {
			c.refuse(at, errShape.Error())
			continue
		}
		var first, size uint32 // what is missing is 0 for the low-level runtime
		if m.HostID != nil {
			first = *m.HostID
		}
		if m.Size != nil {
			size = *m.Size
		}
		if size == 0 {
			continue
		}
		if first < leastHostID || uint64(first)+uint64(size) > math.MaxUint32 {
			c.refuse(at, "it maps users of the host")
			continue
		}
		own := span{first, first + size - 1}
		if slices.ContainsFunc(c.evidence.Foreign, func(o [2]uint32) bool { return o[1] > 0 && own.overlaps(span{o[0], o[0] + o[1] - 1}) }) {
			c.refuse(at, "it maps ids that belong to somebody else")
		}
	}
}

// mountMapping may be left out where the container gets a user namespace, whose
// mapping it then has.
func mountMapping(c *check, at string, before, after jsontext.Value) {
	if after == nil && !c.users[0].there && c.users[1].there {
		return
	}
	same(c, at, before, after)
}
