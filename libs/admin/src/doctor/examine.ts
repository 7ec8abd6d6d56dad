import { newMessageId } from '@millrace/core';
import type { RedisConnection } from '@millrace/redis';
import { askPrimaries, type NodeAnswer } from '../nodes/ask-primaries.js';
import type { UseCaseParts } from '../parts.js';
import { fault, type Finding, warning } from './finding.js';
import { checkPermissions } from './permissions.js';
import { askServer } from './server-answers.js';
import { SERVER_CHECKS } from './server-checks.js';

export interface Examination {
  /** `Redis 7.0.15`. */
  readonly product: string;
  /** No finding is a fault. */
  readonly ok: boolean;
  /** In a Cluster one that is the same for all nodes stands once, and each of the others says which node it is about. */
  readonly findings: readonly Finding[];
}

/**
 * Looks for all that keeps a Redis from being fit for Millrace: settings, disk, memory, clocks, permissions; in a Cluster at each
 * node that has slots. A node that does not answer is a finding. It changes nothing.
 *
 * @throws MillraceError REDIS_UNREACHABLE, REDIS_FAILED: no server answers
 */
export async function examine({ redis, prefix }: UseCaseParts): Promise<Examination> {
  const key = `${prefix}:{doctor}:${newMessageId()}`;
  const answers = await askPrimaries(redis, (server) => examineServer(server, key));
  const [first] = answers;
  if (first && first.error !== null && answers.every(({ error }) => error !== null)) throw first.error;
  const { product, concerns } = redis.server;
  const findings = [...merged(answers.map(findingsOf)), ...concerns.map(ofConcern)];
  return { product, ok: findings.every(({ state }) => state !== 'fault'), findings };
}

/** A node looks at permissions before it looks whether it has the key: any key will do. */
async function examineServer(server: RedisConnection, key: string): Promise<Finding[]> {
  const answers = await askServer(server);
  return [...SERVER_CHECKS.map((check) => check(answers)), await checkPermissions(server, key)];
}

function findingsOf({ node, answer, error }: NodeAnswer<Finding[]>): Finding[] {
  if (error === null) return answer.map((finding) => ({ ...finding, node }));
  const advice = 'Its keys are away until it is back, or a replica takes its place.';
  return [{ ...fault('node', error.message, advice), node }];
}

/** Check by check, and those that are the same for all nodes once. */
function merged(byNode: readonly (readonly Finding[])[]): Finding[] {
  const checks = [...new Set(byNode.flat().map(({ check }) => check))];
  return checks.flatMap((check) => {
    const own = byNode.flat().filter((finding) => finding.check === check);
    const [first] = own;
    const areSame = own.every(({ state, found }) => state === first!.state && found === first!.found);
    return areSame && own.length === byNode.length ? [{ ...first!, node: null }] : own;
  });
}

/** A concern says what is so in its first sentence, and what to do in those behind it. */
function ofConcern(concern: string): Finding {
  const [found = '', ...advice] = concern.split(/(?<=\.) /);
  return warning('setup', found, advice.join(' '));
}
