#!/bin/sh
# Forms a Redis Cluster, unless it was formed before, and ends when each slot has its primary and each primary a replica in step.
#   form-cluster.sh <replicas of each primary> <address:port> <address:port> ...
# Addresses, not names: the nodes of a Cluster are introduced to each other by address alone.
set -eu

replicas=$1
shift

on() {
  redis-cli -h "${1%:*}" -p "${1##*:}" $2
}

if ! on "$1" 'cluster info' | grep -q '^cluster_slots_assigned:16384'; then
  redis-cli --cluster create "$@" --cluster-replicas "$replicas" --cluster-yes
fi

for node in "$@"; do
  until on "$node" 'cluster info' | grep -q '^cluster_slots_ok:16384' &&
    on "$node" 'info replication' | grep -qE "^connected_slaves:[1-9]|^master_link_status:up"; do sleep 1; done
done
echo 'The Cluster is formed.'
