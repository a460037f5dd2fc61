package userns

import (
	"math"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// needs is a request whose process, volume, groups and image have these ids.
func needs(uid, gid uint32, owners, groups, image []uint32) (*specs.Spec, host.Facts) {
	s, f := request(), able()
	s.Process.User = specs.User{UID: uid, GID: gid, AdditionalGids: groups}
	src := f.Sources["/v"]
	src.Owners = owners
	f.Sources["/v"] = src
	f.UserNS.Root.Owners = image
	return s, f
}

// Whoever the process, the volumes and the image name is in the user namespace
// as himself, and it has no more ids than that takes.
func TestIDsAboveTheFirstUnit(t *testing.T) {
	s, f := needs(70000, 1000650000, []uint32{177777777}, []uint32{5, 4294967294}, []uint32{100000})
	p := profile(policy.UserNSAuto)
	f.UserNS.Range = Want(p, f, s)
	f.UserNS.Range.Base = 1879048192
	changes, refusals := apply(t, p, f, s)
	if len(refusals) > 0 || len(changes) != 2 || !given(s) || len(s.Process.User.AdditionalGids) != 2 {
		t.Fatalf("%v %v", changes, refusals)
	}
	want := []specs.LinuxIDMapping{
		{ContainerID: 0, HostID: 1879048192, Size: size},
		{ContainerID: 65536, HostID: 1879048192 + 1*size, Size: size},
		{ContainerID: 177777777 &^ 0xFFFF, HostID: 1879048192 + 2*size, Size: size},
		{ContainerID: 1000650000 &^ 0xFFFF, HostID: 1879048192 + 3*size, Size: size},
		{ContainerID: 4294901760, HostID: 1879048192 + 4*size, Size: size - 1},
	}
	if !slices.Equal(s.Linux.UIDMappings, want) || !slices.Equal(s.Linux.GIDMappings, want) {
		t.Errorf("%+v", s.Linux.UIDMappings)
	}
	if !strings.Contains(changes[0].After, "inside 0 to 65535, 65536 to 131071, ") {
		t.Errorf("%+v", changes[0])
	}
	if again, _ := apply(t, p, f, s); len(again) > 0 {
		t.Errorf("again: %v", again)
	}
}

// What the user namespace does not have gets rid of it under no mode that wants
// one: it is refused, and a volume of that owner as well. Of an image it is told.
func TestIDsThatAreNotThere(t *testing.T) {
	for name, c := range map[string]struct {
		uid, gid      uint32
		owners, image []uint32
		refused       int
	}{
		"user":           {uid: 65536, refused: 1},
		"group":          {gid: 65536, refused: 1},
		"none":           {uid: math.MaxUint32, refused: 1},
		"volume":         {owners: []uint32{1234567}, refused: 1},
		"both":           {uid: 70000, owners: []uint32{1234567}, refused: 2},
		"image":          {image: []uint32{1234567}},
		"the last below": {uid: 65535, gid: 65535},
	} {
		for _, mode := range []policy.UserNSMode{policy.UserNSAuto, policy.UserNSRequired} {
			s, f := needs(c.uid, c.gid, c.owners, nil, c.image)
			p := profile(mode)
			p.UserNS.Size.Max = size
			if r := Want(p, f, s); r != (host.IDRange{Size: size}) {
				t.Errorf("%s: more ids than the maximum: %+v", name, r)
			}
			_, refusals := apply(t, p, f, s)
			if len(refusals) != c.refused || given(s) != (c.refused == 0) {
				t.Errorf("%s under %s: %v", name, mode, refusals)
			}
			note := userns{p, f, false}.Note(s)
			if (note != "") != (c.image != nil) {
				t.Errorf("%s: %q", name, note)
			}
			p.UserNS.Volumes.Default = policy.VolumeShifted
			if _, refusals := apply(t, p, f, func() *specs.Spec { s, _ := needs(0, 0, c.owners, nil, nil); return s }()); len(refusals) > 0 {
				t.Errorf("%s: a volume that is not mapped: %v", name, refusals)
			}
		}
	}
}

// Whatever is asked for: the range is within the bounds of the profile, each of
// its ids stands for one of the host and no two for the same, and while there is
// room it has all that was asked for.
func TestWantIsBounded(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		id := rapid.OneOf(rapid.Uint32(), rapid.Uint32Range(0, 1<<20), rapid.SampledFrom([]uint32{65535, 65536, math.MaxUint32, math.MaxUint32 - 1, math.MaxUint32 - size}))
		ids := func(label string) []uint32 { return rapid.SliceOfN(id, 0, 12).Draw(r, label) }
		s, f := needs(id.Draw(r, "uid"), id.Draw(r, "gid"), ids("owners"), ids("groups"), ids("image"))
		p := profile(policy.UserNSAuto)
		p.UserNS.Size = policy.UserNSSize{
			Min: rapid.SampledFrom([]int64{0, size, 3 * size}).Draw(r, "min"), Max: rapid.SampledFrom([]int64{0, 3 * size, 1000 * size}).Draw(r, "max"),
		}
		low, high := p.UserNS.Size.Bounds()
		got := Want(p, f, s)
		if got.Size < low || got.Size > high || got.Size%size != 0 || got.Low() != low {
			r.Fatalf("%+v is not within %d to %d", got, low, high)
		}
		got.Base = 1879048192
		at := got.Base
		inside := int64(-1)
		for _, l := range got.Lines() {
			if l.Outside != at || int64(l.Inside) <= inside || uint64(l.Inside)+uint64(l.Size) > math.MaxUint32 {
				r.Fatalf("%+v", got.Lines())
			}
			at += (l.Size + size - 1) / size * size
			inside = int64(l.Inside) + int64(l.Size) - 1
		}
		if at != got.Base+got.Size {
			r.Fatalf("%+v: %d ids are mapped", got, at-got.Base)
		}
		all := slices.Concat(user(s), f.Sources["/v"].Owners, s.Process.User.AdditionalGids, f.UserNS.Root.Owners)
		for _, id := range all {
			if !got.Covers(id) && id != math.MaxUint32 && got.Size < high && len(got.Lines()) < 16 {
				r.Fatalf("there is room for %d in %+v", id, got)
			}
		}
		if want := all[0]; want != math.MaxUint32 && high > low && !got.Covers(want) {
			r.Fatalf("the process's user %d is not in %+v", want, got)
		}
	})
}
