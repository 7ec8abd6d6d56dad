import { Injectable } from '@nestjs/common';
import type { LifecycleState } from '../module/lifecycle.js';
import { Health, type Readiness } from './health.js';

/** The state of one key, as Terminus takes it of an indicator. */
export interface MillraceIndication {
  readonly status: 'up' | 'down';
  readonly state: LifecycleState;
  /** Parts not well: `redis`, `<topic>/<group>`, `queue <name>`, `service <name>`, `outbox`; `Health.ready()` says why. */
  readonly failing?: string[];
}

/**
 * Tells `@nestjs/terminus` whether this process does its work. It needs nothing of that package, which an application may
 * leave out. The answer holds no addresses and no error texts, because such health is often public.
 *
 * @example this.health.check([() => this.millrace.isHealthy('millrace')])
 */
@Injectable()
export class MillraceHealthIndicator {
  readonly #health: Health;

  constructor(health: Health) {
    this.#health = health;
  }

  /** Never waits longer than a command to Redis may take, 2 seconds. */
  async isHealthy<const Key extends string = 'millrace'>(key = 'millrace' as Key): Promise<Record<Key, MillraceIndication>> {
    const ready = await this.#health.ready();
    const { ok, state } = ready;
    const indication: MillraceIndication = ok ? { status: 'up', state } : { status: 'down', state, failing: failingOf(ready) };
    return { [key]: indication } as Record<Key, MillraceIndication>;
  }
}

function failingOf({ redis, subscriptions, workers, services, outbox }: Readiness): string[] {
  return [
    ...(redis.ok ? [] : ['redis']),
    ...subscriptions.filter(({ problem }) => problem !== null).map(({ topic, group }) => `${topic}/${group}`),
    ...workers.filter(({ problem }) => problem !== null).map(({ queue }) => `queue ${queue}`),
    ...services.filter(({ problem }) => problem !== null).map(({ service }) => `service ${service}`),
    ...(outbox === null || outbox.problem === null ? [] : ['outbox']),
  ];
}
