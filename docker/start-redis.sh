#!/bin/sh
# Starts Redis, or a Sentinel, from a copy of its configuration in the working directory. Sentinels, and CONFIG REWRITE, write
# into it who is the primary now: with the first one a restarted server would begin in the place that it had at first.
#   start-redis.sh <configuration> [line ...]
# Each line is added to the copy when that is made, at the first start. For others that come later, remove the copy.
set -eu

copy=$PWD/$(basename "$1")
if [ ! -f "$copy" ]; then
  cp "$1" "$copy.new"
  shift
  printf '\n' >> "$copy.new"
  for line in "$@"; do printf '%s\n' "$line" >> "$copy.new"; done
  # Only a whole copy has its name.
  mv "$copy.new" "$copy"
fi

case $copy in
  */sentinel.conf) exec redis-server "$copy" --sentinel ;;
  *) exec redis-server "$copy" ;;
esac
