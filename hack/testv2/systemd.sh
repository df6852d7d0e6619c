#!/usr/bin/env bash
# Boots a fresh Debian with systemd under emulation and runs a node on it, across a reboot: hack/testv2/systemd-guest.sh.
set -euo pipefail
cd "$(dirname "$0")/../.."
hack/packages.sh qemu-system-x86 busybox-static iptables debootstrap e2fsprogs kmod
work=$PWD/bin/testv2
hack/testv2/kernel.sh "$work"
go run ./hack/image -o "$work/images" >/dev/null
root=$work/debian
if [ ! -e "$root/.complete" ]; then
	echo "installing Debian into $root (a minute or two)"
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
	rm -rf "$root"
	mkdir -p "$root"
	debootstrap --variant=minbase --include=systemd-sysv,dbus,kmod,iproute2,iptables,mount,curl,procps bookworm "$root" "$mirror" >"$work/debootstrap.log" 2>&1 ||
		{ tail -n 5 "$work/debootstrap.log" >&2; exit 1; }
	rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}
	mkdir -p "$root/lib/modules"
	cp -a "$work"/kernel/lib/modules/. "$root/lib/modules/"
	depmod -b "$root" "$(basename "$work"/kernel/lib/modules/*)"
	touch "$root/.complete"
fi
mkdir -p "$root/guest/images"
install -m 755 hack/testv2/systemd-guest.sh bin/coracle "$root/guest/"
install -m 644 hack/testv2/pod.yaml "$root/guest/"
install -m 644 "$work/images/web-v1.tar" "$root/guest/images/"
install -m 644 hack/testv2/systemd/*.service "$root/etc/systemd/system/"
for unit in machine-network machine-test; do
	mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
	ln -sfn "/etc/systemd/system/$unit.service" "$root/etc/systemd/system/multi-user.target.wants/$unit.service"
done
: >"$root/etc/machine-id" # a first boot
rm -f "$work/disk"
mke2fs -q -t ext4 -d "$root" "$work/disk" 3G
trap 'rm -f "$work/disk"' EXIT
go run ./hack/testv2 -work "$work" -disk "$work/disk" "$@"
