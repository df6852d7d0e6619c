#!/bin/sh
# The first program of a machine with a disk: mounts it and hands over to its init.
export PATH=/bin
mount -t devtmpfs dev /dev
while read -r module; do insmod "$module" || echo "testv2: no module $module"; done </guest/modules
until [ -b /dev/vda ]; do sleep 0.1; done
mount -t ext4 /dev/vda /new || { echo "testv2: FAIL: the disk cannot be mounted"; poweroff -f; }
exec switch_root /new /sbin/init
