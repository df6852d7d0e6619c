#!/bin/bash
# What the machine does after each boot: the first one starts a cluster with `coracle up`, attacks the unit and reboots; the second
# finds the cluster running and takes it away.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
fail() {
	echo "FAIL: $*"
	systemctl --failed --no-pager --no-legend
	journalctl --no-pager -n 20 -u coracle.service
	k get events --sort-by=.metadata.creationTimestamp -o custom-columns=R:.reason,O:.involvedObject.name,M:.message | tail -n 10
	systemctl poweroff --force --force
	exit 1
}
step() { echo "$* (${SECONDS} s)"; }
k() { /guest/coracle kubectl --kubeconfig /var/lib/coracle/admin.conf "$@"; }
want() { # want WHAT WANTED COMMAND...
	local what=$1 wanted=$2 got
	shift 2
	got=$("$@" 2>&1) || fail "$what: $got"
	[ "$got" = "$wanted" ] || fail "$what is '$got', not '$wanted'"
	echo "$what is $got"
}
started() { k get pod limited -o 'jsonpath={.status.containerStatuses[0].state.running.startedAt}'; }
property() { systemctl show -P "$1" coracle.service; }

if [ ! -e /var/first-boot-done ]; then
	step "first boot: coracle up"
	/guest/coracle up --timeout 8m || fail "coracle up"
	/guest/coracle image load /guest/images/web-v1.tar || fail "image load"
	want "the unit's state" active systemctl is-active coracle.service
	want "the unit at boot" enabled systemctl is-enabled coracle.service
	want "KillMode" process property KillMode
	want "Delegate" yes property Delegate
	k apply -f /guest/pod.yaml || fail "creating the Pod"
	k wait --for=condition=Ready pod/limited --timeout=60s || fail "the Pod does not become ready"
	before=$(started)

	step "killing the server: systemd starts it again, the container lives on"
	old=$(property MainPID)
	kill -9 "$old"
	for _ in $(seq 600); do
		new=$(property MainPID)
		[ "$new" != 0 ] && [ "$new" != "$old" ] && k get --raw /readyz >/dev/null 2>&1 && break
		sleep 0.2
	done
	[ "$(property MainPID)" != "$old" ] || fail "the killed server was not started again"
	want "the container's start after the kill" "$before" started

	step "systemctl restart: the container lives on"
	systemctl restart coracle.service || fail "systemctl restart"
	k wait --for=condition=Ready node --all --timeout=120s || fail "the node after the restart"
	want "the container's start after the restart" "$before" started
	want "the container's restarts" 0 k get pod limited -o 'jsonpath={.status.containerStatuses[0].restartCount}'
	/guest/coracle up --timeout 5m || fail "coracle up again"

	touch /var/first-boot-done
	step "rebooting"
	sync
	systemctl reboot
	exit 0
fi

step "second boot: the cluster comes by itself"
for _ in $(seq 600); do
	k get --raw /readyz >/dev/null 2>&1 && break
	sleep 0.5
done
want "the unit's state" active systemctl is-active coracle.service
for _ in $(seq 240); do
	[ "$(k get pod limited -o 'jsonpath={.status.containerStatuses[0].restartCount}' 2>/dev/null)" = 1 ] && break
	sleep 0.5
done
k wait --for=condition=Ready pod/limited --timeout=60s || { k describe pod limited; fail "the Pod does not come back"; }
want "the container's restarts" 1 k get pod limited -o 'jsonpath={.status.containerStatuses[0].restartCount}'
want "exec's answer" limited k exec limited -- hostname

step "coracle down"
/guest/coracle down || fail "coracle down"
[ ! -e /etc/systemd/system/coracle.service ] || fail "the unit is left"
systemctl is-active --quiet coracle.service && fail "the unit is active"
left=$(find /sys/fs/cgroup -type d -name 'kubepods*')
[ -z "$left" ] || fail "cgroups are left: $left"
left=$(pgrep -af '^/guest/coracle|containerd-shim|^/pause' || true)
[ -z "$left" ] || fail "processes are left: $left"
left=$(grep -E 'coracle|kubelet|/pods/' /proc/self/mountinfo)
[ -z "$left" ] || fail "mounts are left: $left"
left=$(iptables-save 2>/dev/null | grep -iE 'kube|coracle')
[ -z "$left" ] || fail "packet rules are left: $left"
step "all is well"
echo PASS
systemctl poweroff --force --force
