# What the tests, the demo and the benchmark run against. Read by make and by
# the shell: NAME=value only.
RUNC_VERSION=v1.5.2
CONTAINERD_VERSION=v2.4.2
