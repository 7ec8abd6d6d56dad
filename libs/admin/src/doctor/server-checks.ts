import { fault, type Finding, ok, unknown, warning } from './finding.js';
import type { ServerAnswers } from './server-answers.js';

type Check = (answers: ServerAnswers) => Finding;

const NEARLY_FULL = 0.8;
const SKEW_WARNING_MS = 1_000;
const SKEW_FAULT_MS = 30_000;
const SLOW_MS = 5;
const DAY_MS = 86_400_000;

const evictionPolicy: Check = ({ field }) => {
  const policy = field('maxmemory_policy');
  if (policy === null) return unknown('eviction policy');
  if (policy === 'noeviction') return ok('eviction policy', policy);
  return fault('eviction policy', policy, 'Redis throws messages away when its memory is full. Set maxmemory-policy noeviction.');
};

const memory: Check = ({ field }) => {
  const [used, most] = [Number(field('used_memory') ?? Number.NaN), Number(field('maxmemory') ?? Number.NaN)];
  if (Number.isNaN(used) || Number.isNaN(most)) return unknown('memory');
  const found = most === 0 ? `${mib(used)} used, no limit` : `${mib(used)} of ${mib(most)} used`;
  if (most === 0) {
    return warning('memory', found, 'Without maxmemory a backlog may take all memory of the machine. Set maxmemory to less than it has.');
  }
  if (used >= most) return fault('memory', found, 'Redis refuses publishes. Give it more memory, or consume and trim what is stored.');
  if (used < most * NEARLY_FULL) return ok('memory', found);
  return warning('memory', found, 'Publishes are refused when it is full. Give Redis more memory, or consume and trim what is stored.');
};

const persistence: Check = ({ field, setting }) => {
  const appendOnly = field('aof_enabled');
  if (appendOnly === null) return unknown('persistence');
  if (appendOnly === '1') return appendOnlyFile(setting('appendfsync'));
  const advice = 'Set appendonly yes.';
  const save = setting('save');
  if (save === null) return unknown('persistence', 'no append-only file; the server does not say whether it has snapshots');
  if (save === '') return fault('persistence', 'none', `A restart of Redis loses every message. ${advice}`);
  return warning('persistence', 'snapshots alone', `A crash of Redis loses all since its last snapshot. ${advice}`);
};

function appendOnlyFile(fsync: string | null): Finding {
  const found = fsync === null ? 'append-only file' : `append-only file, fsync ${fsync}`;
  if (fsync !== 'no') return ok('persistence', found);
  return warning('persistence', found, 'A crash of the machine loses what the system has not written yet, often 30 s. Set appendfsync everysec, or always.');
}

const writing: Check = ({ field }) => {
  const failed = ['aof_last_write_status', 'aof_last_bgrewrite_status', 'rdb_last_bgsave_status'].filter((name) => field(name) === 'err');
  if (field('rdb_last_bgsave_status') === null) return unknown('writes to disk');
  if (failed.length === 0) return ok('writes to disk', 'the last ones succeeded');
  const found = `failed: ${failed.map((name) => name.replace(/_status$/, '').replaceAll('_', ' ')).join(', ')}`;
  return fault('writes to disk', found, 'Redis may refuse every write until one succeeds. Look at its log; often the disk is full, or its folder is not writable.');
};

const role: Check = ({ field }) => {
  const found = field('role');
  if (found === null) return unknown('role');
  if (found === 'master') return ok('role', 'primary');
  return fault('role', 'replica', 'It takes no writes. Connect to the primary, or through Sentinels or a Cluster, which follow it.');
};

const replicas: Check = ({ field, setting }) => {
  const count = field('connected_slaves');
  if (count === null) return unknown('replicas');
  const wanted = Number(setting('min-replicas-to-write') ?? 0);
  const good = Number(field('min_slaves_good_slaves') ?? count);
  if (wanted > good) {
    return fault('replicas', `${good} of ${wanted} that must be there`, 'Redis refuses every write. Bring replicas back, or lower min-replicas-to-write.');
  }
  return ok('replicas', count === '0' ? 'none' : `${count} connected`);
};

const idleConnections: Check = ({ setting }) => {
  const seconds = setting('timeout');
  if (seconds === null) return unknown('idle connections');
  if (seconds === '0') return ok('idle connections', 'kept');
  const advice = 'Processes reconnect again and again, and each time reads come late. Set timeout 0.';
  return warning('idle connections', `closed after ${seconds} s`, advice);
};

const clock: Check = ({ skewMs, skewWithinMs }) => {
  const apart = Math.max(0, Math.abs(skewMs) - skewWithinMs);
  const found = `${(skewMs / 1_000).toFixed(3)} s ${skewMs < 0 ? 'behind' : 'ahead of'} this machine's`;
  const advice = 'Delays go by the clock of Redis, times to live by those of processes. Let NTP set the clocks of both machines.';
  if (apart > SKEW_FAULT_MS) return fault('clock of Redis', found, advice);
  return apart > SKEW_WARNING_MS ? warning('clock of Redis', found, advice) : ok('clock of Redis', 'as that of this machine');
};

const coverage: Check = ({ cluster, setting }) => {
  if (cluster === null) return ok('cluster', 'none');
  const state = /^cluster_state:(\w+)/m.exec(cluster)?.[1] ?? 'unknown';
  const failed = Number(/^cluster_slots_fail:(\d+)/m.exec(cluster)?.[1] ?? 0);
  const covered = Number(/^cluster_slots_ok:(\d+)/m.exec(cluster)?.[1] ?? 0);
  const found = `state ${state}, ${covered} of 16384 slots served`;
  if (state !== 'ok' || failed > 0 || covered < 16_384) {
    return fault('cluster', found, 'The keys of the other slots are away. Bring their primaries back, or let replicas take their place.');
  }
  if (setting('cluster-require-full-coverage') !== 'yes') return ok('cluster', found);
  return warning('cluster', `${found}, all or none`, 'While one primary is away, the others refuse their keys as well. Set cluster-require-full-coverage no.');
};

const slowScripts: Check = ({ slowScripts: entries }) => {
  if (entries === null) return unknown('slow scripts');
  const recent = entries.filter(({ at, tookMs }) => tookMs > SLOW_MS && Date.now() - at.getTime() < DAY_MS);
  if (recent.length === 0) return ok('slow scripts', 'none in the slow log of the last day');
  const slowest = Math.max(...recent.map(({ tookMs }) => tookMs));
  const found = `${recent.length} in the slow log of the last day, up to ${slowest.toFixed(1)} ms`;
  return warning('slow scripts', found, 'Redis served nobody else meanwhile. Look at SLOWLOG GET, and whether its machine has processors and memory left.');
};

/** Checks of the server that need nothing but its answers. */
export const SERVER_CHECKS: readonly Check[] = [
  role, evictionPolicy, memory, persistence, writing, replicas, idleConnections, clock, coverage, slowScripts,
];

function mib(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
