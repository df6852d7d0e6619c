#!/bin/bash
# Turns new namespaces into a machine with the files in $1, and starts its init.
set -euo pipefail
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
hostname machine
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "$root/dev/${node%:*}" c 1 "${node#*:}"; done
mknod -m 666 "$root/dev/tty" c 5 0
mknod -m 600 "$root/dev/kmsg" c 1 11
mkdir "$root"/dev/{pts,shm,mqueue}
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
for n in 0 1 2; do ln -s "/proc/self/fd/$n" "$root/dev/$(echo stdin stdout stderr | cut -d' ' -f$((n + 1)))"; done
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
	mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
	while read -r _ on type options _; do
		case $type in cgroup | cgroup2) ;; *) continue ;; esac
		case $on in /sys/fs/cgroup/*) ;; *) continue ;; esac
		kind=$(basename "$on")
		mkdir "$root$on"
		[ "$kind" != systemd ] || kind=none,name=systemd
		[ "$type" = cgroup ] && mount -t cgroup -o "$kind" cgroup "$root$on" || mount -t cgroup2 cgroup2 "$root$on"
	done </proc/self/mounts
fi
ip link set lo up
cd "$root"
pivot_root . mnt
umount -l /mnt
exec env -i container=namespaces PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --show-status=0 --log-target=console
