#!/bin/sh
# The first program of the emulated machine: makes it a machine, runs a node on it, says what came of it and turns it off.

if [ "$1" != furnished ]; then
	# A container's root cannot be made on the kernel's first file system, so all of it moves to another.
	mount -t tmpfs -o size=90%,mode=755 tmpfs /new
	for d in bin etc lib lib64 sbin usr var guest; do [ -e /$d ] && mv /$d /new/ 2>/dev/null; done
	mkdir -p /new/proc /new/sys /new/dev /new/run /new/tmp /new/root
	PATH=/new/bin exec switch_root /new /bin/sh /guest/guest.sh furnished
fi
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
fail() { echo "testv2: FAIL: $*"; [ -f /var/lib/coracle/server.log ] && tail -n 40 /var/lib/coracle/server.log; poweroff -f; }
step() { echo "testv2: $* ($(cut -d. -f1 /proc/uptime) s)"; }

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs -o mode=755 tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
chmod 1777 /tmp
ulimit -n 65536
while read -r module; do insmod "$module" 2>/dev/null || echo "testv2: no module $module"; done </guest/modules
hostname emulated
ip link set lo up
ip link add eth0 type dummy
ip link set eth0 up
ip addr add 10.99.0.1/24 dev eth0
ip route add default via 10.99.0.254
step "the machine is up, kernel $(uname -r)"

step "container runtime, network and cgroups"
cd /guest && ./runtime.test -test.v >/tmp/runtime.log 2>&1 || { cat /tmp/runtime.log; fail "the container runtime's tests"; }
grep -E '^(---|ok|PASS)' /tmp/runtime.log
[ -x /guest/coracle ] || { echo "testv2: PASS (without a cluster: there is no bin/coracle)"; poweroff -f; }

k() { /guest/coracle kubectl --kubeconfig /var/lib/coracle/admin.conf "$@"; }
links() { ls /sys/class/net; }
want() { # want WHAT WANTED COMMAND...
	what=$1 wanted=$2
	shift 2
	got=$("$@" 2>&1) || fail "$what: $got"
	[ "$got" = "$wanted" ] || fail "$what is '$got', not '$wanted'"
	echo "testv2: $what is $got"
}

links >/tmp/links.before
step "coracle up"
/guest/coracle up --timeout 5m || fail "coracle up"
/guest/coracle image load /guest/images/web-v1.tar || fail "image load"

step "a Pod with limits"
k apply -f /guest/pod.yaml || fail "creating the Pod"
k wait --for=condition=Ready pod/limited --timeout=120s || { k describe pod/limited; fail "the Pod does not become ready"; }
want "exec's answer" limited k exec limited -- hostname
want "the container's memory.max" 67108864 k exec limited -- cat /sys/fs/cgroup/memory.max
want "the container's cpu.max" "50000 100000" k exec limited -- cat /sys/fs/cgroup/cpu.max
want "the container's memory.oom.group" 1 k exec limited -- cat /sys/fs/cgroup/memory.oom.group
uid=$(k get pod limited -o 'jsonpath={.metadata.uid}')
group=$(find /sys/fs/cgroup -type d -name "pod$uid")
want "the Pod's memory.max" 67108864 cat "$group/memory.max"
want "the Pod's cpu.max" "50000 100000" cat "$group/cpu.max"
want "the Pod's qosClass" Burstable k get pod limited -o 'jsonpath={.status.qosClass}'

step "coracle down"
/guest/coracle down || fail "coracle down"
left=$(find /sys/fs/cgroup -type d -name 'kubepods*')
[ -z "$left" ] || fail "cgroups are left: $left"
# shellcheck disable=SC2009 # busybox has no pgrep -f of this kind
left=$(ps | grep -E 'coracle|containerd-shim|/web|/pause' | grep -v grep)
[ -z "$left" ] || fail "processes are left: $left"
left=$(grep -E 'coracle|kubelet|/pods/' /proc/self/mountinfo)
[ -z "$left" ] || fail "mounts are left: $left"
links >/tmp/links.after
cmp -s /tmp/links.before /tmp/links.after || fail "links are left: $(cat /tmp/links.after)"
left=$(iptables-save 2>/dev/null | grep -iE 'kube|coracle')
[ -z "$left" ] || fail "packet rules are left: $left"
step "all is well"
echo "testv2: PASS"
poweroff -f
