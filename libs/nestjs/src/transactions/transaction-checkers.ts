import { Inject, Injectable } from '@nestjs/common';
import { checkPipeline, type TransactionChecks } from '@millrace/core';
import type { Settings } from '../config/settings.js';
import { Invoker } from '../enhance/invoker.js';
import type { CheckPlan } from '../explore/plan.js';
import { Connections } from '../module/connections.js';
import { SETTINGS } from '../module/tokens.js';

/** Has half messages checked by the handlers of this process. */
@Injectable()
export class TransactionCheckers {
  readonly #connections: Connections;
  readonly #invoker: Invoker;
  readonly #settings: Settings;
  readonly #started: TransactionChecks[] = [];

  constructor(connections: Connections, invoker: Invoker, @Inject(SETTINGS) settings: Settings) {
    this.#connections = connections;
    this.#invoker = invoker;
    this.#settings = settings;
  }

  async start(plans: readonly CheckPlan[]): Promise<void> {
    if (plans.length === 0) return;
    const streams = await this.#connections.streams();
    const { unknownProperties } = this.#settings;
    for (const { method, topic, concurrency, timeoutMs } of plans) {
      const pipeline = checkPipeline({ topic, unknownProperties, timeoutMs, handle: this.#invoker.invokeOf(method) });
      this.#started.push(await streams.checkHalves({ topic, concurrency, timeoutMs }, pipeline));
    }
  }

  /** Asks nothing more, and lets handlers at work end until the shutdown timeout has passed. */
  async stop(): Promise<void> {
    await Promise.all(this.#started.map((checks) => checks.stop(this.#settings.shutdownTimeoutMs)));
  }
}
