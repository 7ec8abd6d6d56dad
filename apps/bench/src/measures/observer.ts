import { setTimeout as pause } from 'node:timers/promises';
import type { INestApplicationContext } from '@nestjs/common';
import { type GroupState, Groups, Inspector } from '@millrace/nestjs';
import { groupName, topicsOf } from '../contenders/millrace.js';
import { startApplication } from '../contenders/millrace-application.js';

const POLL_MS = 200;
const LIMIT_MS = 300_000;
const [TOPIC] = topicsOf({}) as [ReturnType<typeof topicsOf>[number]];

/** Asks Millrace itself where a group stands, as an operator would. */
export class Observer {
  readonly #app: INestApplicationContext;

  private constructor(app: INestApplicationContext) {
    this.#app = app;
  }

  static async open(url: string): Promise<Observer> {
    return new Observer(await startApplication({ options: { redis: url, handlers: 'none' }, contracts: [TOPIC] }));
  }

  /** @throws Error when it takes longer than five minutes */
  async until(group: number, isSo: (state: GroupState) => boolean): Promise<void> {
    const inspector = this.#app.get(Inspector, { strict: false });
    const giveUpAt = performance.now() + LIMIT_MS;
    while (!isSo(await inspector.group(TOPIC, groupName(group)))) {
      if (performance.now() > giveUpAt) throw new Error(`group ${groupName(group)} did not come to what was waited for in ${LIMIT_MS / 1_000} s`);
      await pause(POLL_MS);
    }
  }

  /** All that an operator looks at: where the group stands, and what a seek to its beginning would do. */
  async operate(group: number): Promise<void> {
    await this.#app.get(Inspector, { strict: false }).group(TOPIC, groupName(group));
    await this.#app.get(Groups, { strict: false }).seek(TOPIC, groupName(group), { to: 'earliest', preview: true });
  }

  close(): Promise<void> {
    return this.#app.close();
  }
}
