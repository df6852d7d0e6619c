#!/usr/bin/env bash
# Boots a fresh Debian, with systemd, as the first process of namespaces of its own, and runs a node on it across a reboot:
# hack/systemd/guest.sh is what happens there. Cgroups are of the version that this machine has.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$PWD/bin/systemd
base=$work/debian
if [ ! -e "$base/.complete" ]; then
	hack/packages.sh debootstrap
	echo "installing Debian into $base (a minute or two)"
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
	rm -rf "$base"
	mkdir -p "$base"
	debootstrap --variant=minbase --include=systemd-sysv,dbus,iproute2,iptables,mount,curl,procps bookworm "$base" "$mirror" >"$work/debootstrap.log" 2>&1 ||
		{ tail -n 5 "$work/debootstrap.log" >&2; exit 1; }
	rm -rf "$base"/var/cache/apt/* "$base"/var/lib/apt/lists/* "$base"/usr/share/{doc,man,locale}
	touch "$base/.complete"
fi

machine=$(mktemp -d) name=coracle-systemd-$$
hierarchies=(/sys/fs/cgroup)
[ -e /sys/fs/cgroup/cgroup.controllers ] || hierarchies=(/sys/fs/cgroup/*/)
tidy() {
	[ -z "${tail:-}" ] || kill "$tail" 2>/dev/null || true
	for h in "${hierarchies[@]}"; do
		[ ! -d "$h/$name" ] || find "$h/$name" -depth -type d -exec rmdir {} + 2>/dev/null || true
	done
	rm -rf "$machine"
}
trap tidy EXIT
root=$machine/root
cp -a "$base" "$root"
: >"$root/etc/machine-id" # a first boot
echo machine >"$root/etc/hostname"
mkdir -p "$root/guest/images" "$root/etc/systemd/system/multi-user.target.wants"
install -m 755 hack/systemd/guest.sh bin/coracle "$root/guest/"
install -m 644 hack/testv2/pod.yaml "$root/guest/"
install -m 644 bin/images/web-v1.tar "$root/guest/images/"
install -m 644 hack/systemd/units/*.service "$root/etc/systemd/system/"
for unit in hack/systemd/units/*.service; do
	ln -s "../$(basename "$unit")" "$root/etc/systemd/system/multi-user.target.wants/"
done
# The kernel is not theirs.
for unit in systemd-sysctl systemd-modules-load console-getty getty@tty1; do ln -s /dev/null "$root/etc/systemd/system/$unit.service"; done
: >"$root/guest/said"
tail -n +1 -f "$root/guest/said" &
tail=$!

for h in "${hierarchies[@]}"; do
	mkdir "$h/$name"
	# A new cpuset has neither processors nor memory.
	for f in cpuset.mems cpuset.cpus; do [ ! -e "$h/$name/$f" ] || cat "$h/$f" >"$h/$name/$f"; done
done
boot() { # as PID 1 of its namespaces: reboot and power-off end them, with a signal
	local code=0
	(
		for h in "${hierarchies[@]}"; do echo "$BASHPID" >"$h/$name/cgroup.procs"; done
		exec timeout --foreground -s KILL 600 unshare --cgroup --ipc --mount --net --pid --uts --fork --kill-child hack/systemd/boot.sh "$root"
	) >>"$machine/console" 2>&1 || code=$?
	return $code
}
for n in 1 2; do
	code=0
	boot 2>/dev/null || code=$?
	[ "$code" = 129 ] && [ $n = 1 ] || break # SIGHUP: a reboot
done
sleep 0.2
grep -q '^PASS$' "$root/guest/said" && exit 0
echo "the machine ended ($code) in boot $n; its console says:" >&2
tail -n 20 "$machine/console" >&2
exit 1
