# What the tests, the demo and the benchmark run against. Read by make and by
# the shell: NAME=value only.
RUNC_VERSION=v1.5.2
# The last releases with a known way out, for the replays.
RUNC_2019=v1.0.0-rc8
RUNC_2021=v1.0.0-rc94
RUNC_2023=v1.1.4
RUNC_2024=v1.1.11
RUNC_2025=v1.2.7
# gVisor, for make bench-peers; its branch for "go install", which the module proxy has.
RUNSC_VERSION=v0.0.0-20260905035102-160fafc42237
CONTAINERD_VERSION=v2.4.2
# The oldest containerd whose daemon our shim serves and that the module proxy has.
CONTAINERD_OLDEST=v2.0.13
# The newest Docker that the module proxy has; Debian's is the oldest that we run.
DOCKERD_VERSION=v2.0.0-beta.24
# The newest client, and the version of its dependency that dockerd has.
DOCKER_CLI_VERSION=v29.9.3+incompatible
SWARMKIT_VERSION=v2.1.3-0.20260828175525-ad0357aedfca
# The newest Compose that our Go builds.
COMPOSE_VERSION=v5.6.0
# What builds images, for make test-engines.
BUILDX_VERSION=v0.38.2
BUILDKIT_VERSION=v0.34.2
# The newest nerdctl and CRI-O that the module proxy has with their sums.
NERDCTL_VERSION=v2.2.2
CRIO_VERSION=v1.35.2
GO_CRIU_VERSION=v8.2.0
# The newest pnpm that the node of Debian 12 runs.
PNPM_VERSION=9.15.9
# The Kubernetes of the single node.
KUBERNETES_VERSION=v1.36.3
# What applies NetworkPolicies in the tests, and in nothing else: the newest that
# the module proxy has.
KUBE_ROUTER_VERSION=v2.1.0
# Kubernetes' validation of container runtimes.
CRITEST_VERSION=v1.37.0
