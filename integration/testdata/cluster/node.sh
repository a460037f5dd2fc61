#!/bin/sh
# What a node is besides its network: process 1 of its own, and the folders that
# Kubernetes and hatchdog write to, below DIR. The rest is the host's.
#
# usage: node.sh DIR
set -e
dir=$1
mount -t tmpfs -o mode=755 node-run /run
mkdir -p "$dir/etc/upper" "$dir/etc/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$dir/etc/upper,workdir=$dir/etc/work" node-etc /etc
for place in /usr/local/bin /usr/local/sbin /var/lib /var/log; do
	mkdir -p "$dir/root$place"
	mount --bind "$dir/root$place" $place
done
# What the kubelet mounts here is there for containerd.
mkdir -p /var/lib/kubelet
mount --bind /var/lib/kubelet /var/lib/kubelet
mount --make-shared /var/lib/kubelet
hostname node1
mkdir /run/wanted
touch "$dir/up"
# The parent of those whose parent has ended, and of the daemons: started by
# who asks, one would end with the container that asked.
while :; do
	for unit in $(ls /run/wanted); do
		setsid "/usr/local/sbin/units/$unit" </dev/null >>"/var/log/$unit.log" 2>&1 &
		echo $! >"/run/$unit.pid"
		rm "/run/wanted/$unit"
	done
	sleep 0.1
done
