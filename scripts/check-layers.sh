#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Holds the layers of the design: who may include what, what the core may call,
# which symbols the module exports, how long a file may be and how it may not
# be named.
#
# usage: scripts/check-layers.sh [BUILD_FOLDER]         (default: build)
# What was built there is looked at too, when it is there.
# Exit status: 0 all holds; 1 not, each violation named on a line of its own.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
src=modules/authban

# The core, lowest first. A file may include what has a lower number, and files
# of its own part (ab_table_evict.c belongs to table). A new part gets its line
# here, which is where its place is argued about.
levels='
1 source
1 siphash
1 window
1 distinct
1 lock
1 mac
1 results
1 tell
2 feeds
1 trouble
1 rate
1 digest
2 classify
2 policy
2 good
3 policies
3 names
3 entry
4 table
4 evidence
5 judge
6 guard
5 token
5 wire
5 text
5 url
6 slot
6 evidence_wire
1 recent
1 breaker
1 blocked
1 bytes
6 credit
6 snapshot
6 nodes
7 sync'

# All of libc that the core may see and call: no I/O, no allocation, no log.
headers='assert ctype endian errno inttypes limits signal stdalign stdatomic
	stdbool stddef stdint stdio stdlib string time sched arpa/inet
	netinet/in sys/socket sys/types'
calls='mem[a-z]* str[a-z]* explicit_bzero snprintf vsnprintf inet_ntop
	inet_pton qsort bsearch abs labs clock_gettime sched_yield kill getpid
	hton[sl] ntoh[sl] isoc23_strto[a-z]* errno_location ctype_b_loc
	ctype_tolower_loc ctype_toupper_loc stack_chk_fail assert_fail
	_tls_get_addr _GLOBAL_OFFSET_TABLE_ popcount[sdt]i2'
# allocates, in spite of its name
not_calls='strdup|strndup|strsignal|strerror|memfd_create'

bad=$(mktemp) || exit 1
trap 'rm -f "$bad"' EXIT
say() {
	echo "$*" >>"$bad"
}

# --- includes ----------------------------------------------------------------

# prints the part of the core that a file belongs to, the longest name first
part_of() {
	p=$(basename "$1")
	p=${p%.[ch]}
	p=${p#ab_}
	while :; do
		if echo "$levels" | grep -q "^[0-9] $p\$"; then
			echo "$p"
			return
		fi
		case $p in *_*) p=${p%_*} ;; *) return ;; esac
	done
}
level_of() {
	echo "$levels" | sed -n "s/^\([0-9]\) $1\$/\1/p"
}
includes() {
	sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*\([<"][^>"]*[>"]\).*/\1/p' "$1"
}

for f in "$src"/ab_*.[ch]; do
	[ -f "$f" ] || continue
	part=$(part_of "$f")
	if [ -z "$part" ]; then
		say "$f: has no place in the order of the core (see levels in $0)"
		continue
	fi
	level=$(level_of "$part")
	for inc in $(includes "$f"); do
		name=${inc#?}
		name=${name%?}
		case $inc in
		'<'*)
			echo " $headers " | tr -s '\n\t' '  ' | grep -q " ${name%.h} " ||
				say "$f: includes $inc, which is not the core's libc"
			;;
		'"ab_'*)
			other=$(part_of "$name")
			if [ -z "$other" ]; then
				say "$f: includes $inc, which has no place in the order"
			elif [ "$other" != "$part" ] &&
				[ "$(level_of "$other")" -ge "$level" ]; then
				say "$f: includes $inc, which does not stand before it"
			fi
			;;
		*) say "$f: includes $inc, which is not of the core" ;;
		esac
	done
done

for f in "$src"/authban_*.[ch]; do
	[ -f "$f" ] || continue
	for inc in $(includes "$f"); do
		case $inc in
		*hiredis*)
			[ "$f" = "$src/authban_redis.c" ] || [ "$f" = "$src/authban_reply.c" ] ||
				say "$f: includes $inc; only authban_redis.c and authban_reply.c may"
			;;
		'"authban_mod.h"')
			[ "$f" = "$src/authban_mod.c" ] ||
				say "$f: includes $inc; authban_mod stands above all"
			;;
		esac
	done
done

for f in "$src"/*.[ch]; do
	case $f in
	"$src"/ab_* | "$src"/authban_* | "$src/*.[ch]") ;;
	*) say "$f: is neither core (ab_) nor glue (authban_)" ;;
	esac
done

# --- names and lengths -------------------------------------------------------

dirs=
for d in "$src" tests scripts; do
	[ ! -d "$d" ] || dirs="$dirs $d"
done
# shellcheck disable=SC2086 # a list of folders
find $dirs -name __pycache__ -prune -o -type f -print |
	while read -r f; do
		if basename "$f" | grep -Eqi '(^|[^a-z])utils?([^a-z]|$)'; then
			say "$f: a file is named after what it holds, not util"
		fi
		# the manual is one text in DocBook, and the README is generated of it
		case $f in "$src"/README | "$src"/doc/*) continue ;; esac
		grep -Iq . "$f" || continue
		n=$(wc -l <"$f")
		[ "$n" -le 500 ] || say "$f: $n lines, more than 500"
	done

# --- what was built ----------------------------------------------------------

allowed=$(printf '%s' "$calls" | tr -s ' \n\t' '|')
for f in "$src"/ab_*.c; do
	o=$build/$(basename "$f" .c).o
	[ -f "$f" ] && [ -f "$o" ] || continue
	# the compiler's own names for the same calls: __memcpy_chk
	nm -u "$o" | awk '{ print $NF }' |
		sed 's/^__\([a-z0-9_]*\)_chk$/\1/; s/^__//; s/@.*//' |
		grep -v '^ab_' |
		awk -v yes="^($allowed)\$" -v no="^($not_calls)\$" \
			'$0 !~ yes || $0 ~ no' |
		while read -r symbol; do
			say "$f: calls $symbol; the core allocates, logs, reads and writes nothing"
		done
done

if [ -f "$build/authban.so" ]; then
	nm -D --defined-only "$build/authban.so" | awk '{ print $NF }' |
		sed 's/@.*//' |
		grep -Ev '^(ab_.*|authban_.*|exports|module_version|module_flags|module_interface_ver|mod_register|_init|_fini|__bss_start|_edata|_end)$' |
		while read -r symbol; do
			say "$build/authban.so: exports $symbol (static, or an ab_ or authban_ name)"
		done
fi

if [ -s "$bad" ]; then
	cat "$bad"
	exit 1
fi
