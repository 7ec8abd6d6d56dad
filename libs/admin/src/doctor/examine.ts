import { newMessageId } from '@millrace/core';
import type { UseCaseParts } from '../parts.js';
import { type Finding, warning } from './finding.js';
import { checkPermissions } from './permissions.js';
import { askServer } from './server-answers.js';
import { SERVER_CHECKS } from './server-checks.js';

export interface Examination {
  /** `Redis 7.0.15`. */
  readonly product: string;
  /** No finding is a fault. */
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

/**
 * Looks for all that keeps a Redis from being fit for Millrace: settings, disk, memory, clocks, permissions. In a Cluster it asks
 * one node, and takes the eviction policy of all. It changes nothing.
 *
 * @throws MillraceError REDIS_UNREACHABLE, REDIS_FAILED
 */
export async function examine({ redis, prefix }: UseCaseParts): Promise<Examination> {
  const key = `${prefix}:{doctor}:${newMessageId()}`;
  const server = redis.controlFor(key);
  const answers = await askServer(server);
  const { product, concerns } = redis.server;
  const permissions = await checkPermissions(server, key);
  const findings = [...SERVER_CHECKS.map((check) => check(answers)), permissions, ...concerns.map(ofConcern)];
  return { product, ok: findings.every(({ state }) => state !== 'fault'), findings };
}

/** A concern says what is so in its first sentence, and what to do in those behind it. */
function ofConcern(concern: string): Finding {
  const [found = '', ...advice] = concern.split(/(?<=\.) /);
  return warning('setup', found, advice.join(' '));
}
