#!/bin/sh
# Builds pinned programs through the Go module proxy, from their own go.mod,
# into CACHE/NAME-VERSION. There already: nothing to do.
#
# usage: build.sh CACHE runc|old-runc-2019|old-runc-2021|old-runc-2023|old-runc-2024|old-runc-2025|containerd|containerd-oldest|shim|dockerd|docker-cli|runsc|kubernetes|kube-proxy|kube-router|compose|buildx|buildkit|nerdctl|crio
set -eu

cache=$1
name=$2
here=$(cd "$(dirname "$0")" && pwd)
. "$here/versions.mk"

module=
modfile=
replace=
ldflags=
time="a minute or three"
case $name in
runc)
	version=$RUNC_VERSION cgo=1 tags=seccomp
	programs="github.com/opencontainers/runc@$version"
	;;
old-runc-2019)
	# It has no go.mod, and the module proxy lacks some of what it was vendored
	# with: later releases of that are taken, and the names that changed mended.
	version=$RUNC_2019 cgo=1 tags="seccomp apparmor" ldflags="-X main.version=${RUNC_2019#v}"
	module=github.com/opencontainers/runc@$version
	modfile=$here/old-runc-2019
	programs=.
	;;
old-runc-2021 | old-runc-2023 | old-runc-2024 | old-runc-2025)
	case $name in
	*2021) version=$RUNC_2021 ;;
	*2023) version=$RUNC_2023 ;;
	*2024) version=$RUNC_2024 ;;
	*) version=$RUNC_2025 ;;
	esac
	cgo=1 tags=seccomp ldflags="-X main.version=${version#v}"
	programs="github.com/opencontainers/runc@$version"
	;;
containerd)
	version=$CONTAINERD_VERSION cgo=0 tags=
	cmd=github.com/containerd/containerd/v2/cmd
	programs="$cmd/containerd@$version $cmd/ctr@$version $cmd/containerd-shim-runc-v2@$version"
	;;
containerd-oldest)
	# Its go.mod has an exclude, which "go install" at a version does not take.
	version=$CONTAINERD_OLDEST cgo=0 tags=
	module=github.com/containerd/containerd/v2@$version
	programs="./cmd/containerd ./cmd/ctr"
	;;
dockerd)
	version=$DOCKERD_VERSION cgo=0 tags="no_zfs exclude_graphdriver_btrfs"
	programs="github.com/moby/moby/v2/cmd/dockerd@$version"
	;;
docker-cli)
	# Its dependencies stand in vendor.mod. Of one of them the module proxy does
	# not have that version.
	version=$DOCKER_CLI_VERSION cgo=0 tags= ldflags="-s -w"
	module=github.com/docker/cli@$version
	modfile=vendor
	replace="github.com/moby/swarmkit/v2@$SWARMKIT_VERSION"
	programs="./cmd/docker"
	;;
compose)
	# Its go.mod has an exclude, which "go install" at a version does not take.
	version=$COMPOSE_VERSION cgo=0 tags= ldflags="-s -w -X github.com/docker/compose/v5/internal.Version=$COMPOSE_VERSION"
	module=github.com/docker/compose/v5@$version
	programs="./cmd"
	;;
buildx)
	version=$BUILDX_VERSION cgo=0 tags= ldflags="-s -w -X github.com/docker/buildx/version.Version=$BUILDX_VERSION"
	programs="github.com/docker/buildx/cmd/buildx@$version"
	;;
buildkit)
	# Its go.mod has an exclude, which "go install" at a version does not take.
	version=$BUILDKIT_VERSION cgo=0 tags= ldflags="-s -w"
	module=github.com/moby/buildkit@$version
	programs="./cmd/buildkitd ./cmd/buildctl"
	;;
nerdctl)
	version=$NERDCTL_VERSION cgo=0 tags= ldflags="-s -w -X github.com/containerd/nerdctl/v2/pkg/version.Version=$NERDCTL_VERSION"
	# The module proxy has no list of its releases, which "go install" wants.
	module=github.com/containerd/nerdctl/v2@$version
	programs="./cmd/nerdctl"
	;;
crio)
	version=$CRIO_VERSION cgo=1 tags="seccomp containers_image_openpgp exclude_graphdriver_btrfs" ldflags="-s -w"
	# The module proxy does not have the version of go-criu that it names.
	module=github.com/cri-o/cri-o@$version
	replace="github.com/checkpoint-restore/go-criu/v8@$GO_CRIU_VERSION"
	programs="./cmd/crio"
	time="five to fifteen minutes"
	;;
kubernetes | kube-proxy)
	# Its go.mod points to folders that the module proxy does not hand out; the
	# same modules are there under versions of their own.
	version=$KUBERNETES_VERSION cgo=0 tags=
	component=k8s.io/component-base/version
	ldflags="-s -w -X $component.gitVersion=$version -X $component.gitMajor=1 -X $component.gitMinor=$(echo "$version" | cut -d. -f2)"
	module=k8s.io/kubernetes@$version
	programs="./cmd/kubelet ./cmd/kube-apiserver ./cmd/kube-controller-manager ./cmd/kube-scheduler ./cmd/kubectl"
	time="ten minutes to half an hour"
	[ $name = kubernetes ] || programs=./cmd/$name time="a few minutes"
	;;
kube-router)
	version=$KUBE_ROUTER_VERSION cgo=0 tags= ldflags="-s -w -X github.com/cloudnativelabs/kube-router/v2/pkg/version.Version=$KUBE_ROUTER_VERSION"
	# Its go.mod may have replacements, which "go install" at a version does not take.
	module=github.com/cloudnativelabs/kube-router/v2@$version
	programs="./cmd/kube-router"
	;;
shim)
	# The shim of the line that ours is made from, built as ours is.
	version=$(sed -n 's|^\tgithub.com/containerd/containerd/v2 ||p' "$here/../../go.mod")
	cgo=0 tags=no_grpc ldflags="-s -w"
	programs="github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2@$version"
	;;
runsc)
	version=$RUNSC_VERSION cgo=0 tags= ldflags="-s -w -X gvisor.dev/gvisor/runsc/version.version=$RUNSC_VERSION"
	programs="gvisor.dev/gvisor/runsc@$version"
	;;
*)
	echo "build.sh: unknown program $name" >&2
	exit 2
	;;
esac

out=$cache/$name-$version
[ -d "$out" ] && exit 0

echo "setup: building $name $version; the first time takes $time"
tmp=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
cd / # no go.mod of this project may have a say
mkdir "$tmp/bin"
if [ -n "$module" ]; then
	source=$(go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
	cp -r "$source" "$tmp/source"
	chmod -R u+w "$tmp/source"
	rm -rf "$tmp/source/vendor" "$tmp/source/go.work"
	cd "$tmp/source"
	[ -z "$modfile" ] || for f in mod sum; do cp "$modfile.$f" go.$f; done
	[ $name != old-runc-2019 ] || {
		grep -rlE 'go-criu/rpc|coreos/go-systemd/|godbus/dbus"' --include='*.go' . | xargs sed -i \
			's|go-criu/rpc|go-criu/v5/rpc|; s|coreos/go-systemd/|coreos/go-systemd/v22/|; s|godbus/dbus"|godbus/dbus/v5"|'
		sed -i 's/\(criuVersionRPC\.M[a-z]*\))/\1Number)/; s/state\.Status = \(status\.String()\)/state.Status = specs.ContainerState(\1)/' libcontainer/container_linux.go
	}
	case $name in kubernetes | kube-proxy) sed -i "s|=> ./staging/src/\(.*\)|=> \1 v0.${version#v1.}|" go.mod ;; esac
	# The sets of IPv6 have a prefix where it makes them, and lack it in its rules.
	[ $name != kube-router ] || sed -i 's/"--match-set", \([a-z]*IPSetName\), /"--match-set", map[bool]string{true: "inet6:"}[ipFamily == api.IPv6Protocol]+\1, /' pkg/controllers/netpol/policy.go
	# A part of its tests stands among its commands, and needs a module that the
	# proxy does not have.
	[ $name != nerdctl ] || {
		rm cmd/nerdctl/helpers/testing*.go
		go mod edit -droprequire github.com/containerd/nerdctl/mod/tigron -dropreplace github.com/containerd/nerdctl/mod/tigron@v0.0.0
	}
	[ -z "$replace" ] || GOFLAGS=-mod=mod go mod edit -require "$replace"
	compile="build -mod=mod -o $tmp/bin/"
else
	compile=install
fi
# shellcheck disable=SC2086 # lists of words
CGO_ENABLED=$cgo GOFLAGS= GOBIN=$tmp/bin go $compile -v -trimpath -tags "$tags" -ldflags "$ldflags" $programs 2>"$tmp/log" &
compiler=$!
while kill -0 $compiler 2>/dev/null; do
	sleep 1
	[ ! -t 1 ] || printf '\rsetup: %s: %s packages compiled' "$name" "$(grep -c / "$tmp/log" || true)"
done
[ ! -t 1 ] || echo
if ! wait $compiler; then
	tail -n 20 "$tmp/log" >&2
	exit 1
fi
# What keeps its namespaces is of C.
[ $name != crio ] || { make -s -C pinns >"$tmp/log" 2>&1 && cp bin/pinns "$tmp/bin/"; }
[ $name != compose ] || mv "$tmp/bin/cmd" "$tmp/bin/docker-compose"
mv "$tmp/bin" "$out"
