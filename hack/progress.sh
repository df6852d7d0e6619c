#!/bin/sh
# Counts the packages that a build compiles, on one line of a terminal; passes other lines on.
awk -v tty="$([ -t 1 ] && echo 1)" '
	/^[^ :#]+$/ { n++; if (tty && n % 10 == 0) { printf "\r  %d packages compiled", n; fflush() } next }
	{ print; fflush() }
	END { if (n) printf "%s  %d packages compiled\n", tty ? "\r" : "", n }'
