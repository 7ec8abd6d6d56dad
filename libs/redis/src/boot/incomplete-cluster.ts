import { MillraceError } from '@millrace/core';
import type { ClusterNodes } from '../topology/cluster-nodes.js';
import { KNOWS_NO_SLOTS, uncoveredIn } from '../topology/slot-map.js';
import { guessAboutTls, TLS_PORTS } from './tls-failure.js';
import { BOOT_TIMEOUT_MS, NOT_READY } from './until-ready.js';

const ANNOUNCED =
  'Each node announces its address to the others, and must be reached at it from here: see cluster-announce-ip and cluster-announce-hostname, or ' +
  'name the addresses by which to reach them in natMap. See CLUSTER NODES and CLUSTER INFO.';
const COVER = 'Give each slot a node: redis-cli --cluster fix, or CLUSTER ADDSLOTS.';
const DOWN =
  'A node serves nothing while it is cut off from most others, or while a slot has no node and cluster-require-full-coverage is yes: see ' +
  'CLUSTER INFO and CLUSTER NODES there.';
const START = 'Start the nodes, or set REDIS_CLUSTER_NODES, or the option redis, to where they are.';
const FORM = 'Let them meet the nodes of the Cluster, or make one with redis-cli --cluster create, or set REDIS_CLUSTER_NODES, or the option redis, to others.';

interface BootState {
  /** Nodes that serve no slots, though they have some. */
  readonly down: readonly string[];
  /** Whether TLS is asked for. */
  readonly isEncrypted: boolean;
}

/** The error of a start that has waited for a Cluster in vain. */
export function incomplete(nodes: ClusterNodes, state: BootState): MillraceError {
  const { isEncrypted } = state;
  const { what, problems, advice } = nodes.slots.primaries.size > 0 ? missingOf(nodes, state) : unknownOf(nodes);
  const guesses = new Set(nodes.problems().map(({ error }) => guessAboutTls(error, { options: 'tls', isEncrypted })));
  const words = [`${what} after ${BOOT_TIMEOUT_MS / 1000} s.`, ...advice, ...guesses].filter((each) => each !== '').join(' ');
  return new MillraceError('REDIS_UNREACHABLE', words, { problems, retryable: true });
}

interface Incomplete {
  readonly what: string;
  readonly problems: readonly string[];
  readonly advice: readonly string[];
}

function missingOf(nodes: ClusterNodes, { down, isEncrypted }: BootState): Incomplete {
  const uncovered = uncoveredIn(nodes.slots);
  const silent = nodes.unready.filter((node) => !nodes.problems().some((problem) => problem.node === node));
  const refusing = down.map((node) => `${node}: its cluster_state is fail`);
  const problems = [...saidBy(nodes), ...silent.map((node) => `${node}: ${NOT_READY}`), ...refusing];
  if (uncovered !== '') problems.push(`no node has the slots ${uncovered}`);
  const areAway = nodes.unready.length > silent.length;
  const advice = [areAway ? ANNOUNCED : '', areAway && isEncrypted ? TLS_PORTS : '', uncovered === '' ? '' : COVER, down.length === 0 ? '' : DOWN];
  return { what: 'The Redis Cluster is not complete', problems, advice };
}

function unknownOf(nodes: ClusterNodes): Incomplete {
  const problems = saidBy(nodes);
  if (problems.length === 0) return { what: 'No node of the Redis Cluster is ready', problems: nodes.named.map((node) => `${node}: ${NOT_READY}`), advice: [] };
  const areOutside = problems.some((problem) => problem.includes(KNOWS_NO_SLOTS));
  const what = areOutside ? 'No node that answers belongs to a Redis Cluster' : 'No node of the Redis Cluster answers';
  return { what, problems, advice: [areOutside ? FORM : START] };
}

function saidBy(nodes: ClusterNodes): string[] {
  return nodes.problems().map(({ node, error }) => `${node}: ${error.message}`);
}
