package userns

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Want is how many ids the container is to have, and which: what the profile
// gives each, and a unit around each id above that its process, its volumes, its
// groups and its image name, in this order, up to the profile's maximum.
func Want(p *policy.Profile, f host.Facts, s *specs.Spec) host.IDRange {
	low, high := p.UserNS.Size.Bounds()
	return want(host.IDRange{Size: low}, high, p, f, s)
}

func want(r host.IDRange, most uint32, p *policy.Profile, f host.Facts, s *specs.Spec) host.IDRange {
	all := user(s)
	for _, m := range s.Mounts {
		all = append(all, volumeOwners(p, f, m)...)
	}
	if s.Process != nil {
		all = append(all, s.Process.User.AdditionalGids...)
	}
	for _, id := range append(all, f.UserNS.Root.Owners...) {
		if more := r.With(id); more.Size <= most {
			r = more
		}
	}
	return r
}

// user are the user and the group of the process.
func user(s *specs.Spec) []uint32 {
	if s.Process == nil {
		return nil
	}
	return []uint32{s.Process.User.UID, s.Process.User.GID}
}

// volumeOwners are the owners above 65535 of a volume whose owners are mapped.
func volumeOwners(p *policy.Profile, f host.Facts, m specs.Mount) []uint32 {
	src := f.Sources[m.Source]
	if !isBind(m) || src.Err != "" || !p.UserNS.Volumes.For(src.Resolved).Mapped() {
		return nil
	}
	return src.Owners
}

// absent refuses a process whose user the container would not have: it would not
// start; and volumes with such an owner: inside, the files would be nobody's, and
// root could not read them. A user namespace does not go away for it.
func (c userns) absent(s *specs.Spec, v Verdict, ids host.IDRange) error {
	var all []error
	if i := slices.IndexFunc(user(s), func(id uint32) bool { return !ids.Covers(id) }); i >= 0 {
		id := user(s)[i]
		r := &control.Refusal{
			Control: policy.UserNS, Field: "process.user", Policy: c.profile.Where("userns.size"),
			Reason: fmt.Sprintf("the process runs as user or group %d, and the container's user namespace has %s", id, ids.Inside()),
			Remedy: "run as a user and a group that it has",
		}
		all = append(all, r.Granting(c.more(s, v, ids, id)))
	}
	for _, m := range s.Mounts {
		owners := volumeOwners(c.profile, c.facts, m)
		i := slices.IndexFunc(owners, func(id uint32) bool { return !ids.Covers(id) })
		if i < 0 {
			continue
		}
		src := c.facts.Sources[m.Source]
		r := &control.Refusal{
			Control: policy.UserNS, Field: "mounts[" + m.Destination + "].source", Policy: c.profile.Where("userns.size"),
			Reason: fmt.Sprintf("files of %s belong to the user or group %d, and the container's user namespace has %s: they would be nobody's inside", src.Resolved, owners[i], ids.Inside()),
			Remedy: "let the files belong to a user and a group that it has",
		}
		all = append(all, r.Granting(c.more(s, v, ids, owners[i])))
	}
	return errors.Join(all...)
}

// more is what gives the container the id: a larger maximum, or, in a user
// namespace that another container has made and where no maximum helps, none.
func (c userns) more(s *specs.Spec, v Verdict, ids host.IDRange, id uint32) control.Grant {
	low, _ := c.profile.UserNS.Size.Bounds()
	const most = math.MaxUint32 &^ (host.IDUnit - 1)
	if r := want(host.IDRange{Size: low}, most, c.profile, c.facts, s); v.Join.Path == "" && r.Covers(id) {
		return control.Set("userns.size.max", strconv.FormatUint(uint64(r.Size), 10))
	}
	return control.Set("userns.mode", string(policy.UserNSOff))
}

// Note tells of what the container has and cannot use.
func (c userns) Note(s *specs.Spec) string {
	all := append(c.withoutEffect(s), c.peers(s)...)
	if note := c.imageIDs(s); note != "" {
		all = append(all, note)
	}
	return strings.Join(all, "; ")
}

// imageIDs tells of ids of the image that the container does not have.
func (c userns) imageIDs(s *specs.Spec) string {
	ids := c.facts.UserNS.Range
	if ids.Empty() || !c.ours(s) {
		return ""
	}
	i := slices.IndexFunc(c.facts.UserNS.Root.Owners, func(id uint32) bool { return !ids.Covers(id) })
	if i < 0 {
		return ""
	}
	return fmt.Sprintf("the image has the user or group %d, which the container's user namespace (%s) does not have: its files are nobody's inside; raise userns.size.max",
		c.facts.UserNS.Root.Owners[i], ids.Inside())
}

// mapping is a range as the spec has it.
func mapping(r host.IDRange) []specs.LinuxIDMapping {
	var all []specs.LinuxIDMapping
	for _, l := range r.Lines() {
		all = append(all, specs.LinuxIDMapping{ContainerID: l.Inside, HostID: l.Outside, Size: l.Size})
	}
	return all
}
