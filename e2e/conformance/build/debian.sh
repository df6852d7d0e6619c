#!/bin/sh
# debian.sh OUT MIRROR: makes OUT/base, a small Debian with the programs that tests call in containers, and OUT/nginx, what nginx
# needs besides. The release is this machine's: nginx's libraries are then those of the base.
set -eu
out=$1 mirror=$2
. /etc/os-release
rm -rf "$out.new"
mkdir -p "$out.new/packages" "$out.new/unpacked"
cd "$out.new"
debootstrap --variant=minbase --include=curl,dnsutils,netcat-openbsd,iproute2,iperf,procps,ca-certificates,bash "$VERSION_CODENAME" base "$mirror"
rm -rf base/var/cache/apt/* base/var/lib/apt/lists/* base/var/log/* base/usr/share/doc base/usr/share/man base/usr/share/locale base/dev/*

chmod 755 . packages
cd packages
apt-get -qq -o APT::Sandbox::User=root download nginx nginx-common
for package in *.deb; do dpkg -x "$package" ../unpacked; done
cd ..
mkdir -p nginx/etc nginx/usr/share/nginx/html nginx/var/www/html nginx/var/log/nginx nginx/var/lib/nginx nginx/run
cp -a unpacked/etc/nginx nginx/etc/
cp -a unpacked/usr/sbin nginx/usr/
page='<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>'
echo "$page" > nginx/usr/share/nginx/html/index.html
echo "$page" > nginx/var/www/html/index.html
cat > nginx/etc/nginx/nginx.conf <<CONFIGURATION
user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log /dev/stderr;
events { worker_connections 512; }
http {
	access_log /dev/stdout;
	include /etc/nginx/mime.types;
	server { listen 80 default_server; root /usr/share/nginx/html; }
}
CONFIGURATION
rm -rf packages unpacked
cd /
rm -rf "$out"
mv "$out.new" "$out"
