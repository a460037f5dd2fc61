package door

import (
	"slices"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/host"
)

// own notes what of the host is the container's alone.
func (p *proven) own() error {
	var all []decision.Thing
	if g := groups(p.after); len(g) > 0 {
		all = append(all, g[0].thing)
	}
	root := p.facts.Root
	there := root != nil && root.Err == "" && !root.Missing
	if there {
		all = append(all, decision.RootFS(root.ID))
	}
	if there && root.Upper != (host.FileID{}) {
		all = append(all, decision.Upper(root.Upper))
	}
	for _, t := range all {
		if err := p.store.Owned(p.claim.Dir(), t); err != nil {
			return err
		}
	}
	if !there || root.MountPoint {
		return nil // a mount is seen in the mount table
	}
	above := slices.DeleteFunc(slices.Clone(root.Within), func(id host.FileID) bool { return id == root.ID })
	return p.store.OwnedBelow(p.claim.Dir(), above)
}

// files is the other living container of whose root file system a source has a
// part: it lies in it, or holds it. A source that the administrator opened by its
// name is open as a whole.
func (o others) files(src host.Source) *decision.Record {
	for _, id := range append([]host.FileID{src.ID}, src.Within...) {
		for _, t := range []decision.Thing{decision.RootFS(id), decision.Upper(id)} {
			if owner := o.another(t); owner != nil && owner.Decision.Bundle != o.dir {
				return owner
			}
		}
	}
	if slices.ContainsFunc(append([]string{src.Resolved}, src.Aliases...), func(name string) bool {
		_, opened := o.p.Mounts.Opens(name)
		return opened
	}) {
		return nil
	}
	for _, id := range src.Mounted {
		if owner := o.another(decision.RootFS(id)); owner != nil && owner.Decision.Bundle != o.dir {
			return owner
		}
	}
	return o.store.Below(src.ID, func(owner *decision.Record) bool {
		return o.store.Dir(owner.Decision.Root, owner.Decision.ID) == o.self || owner.Decision.Bundle == o.dir
	})
}
