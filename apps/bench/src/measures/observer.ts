import { setTimeout as pause } from 'node:timers/promises';
import { type GroupState, Groups, Inspector } from '@millrace/nestjs';
import { groupName, topicsOf } from '../contenders/millrace.js';
import { startApplication } from '../contenders/millrace-application.js';

const POLL_MS = 200;
const LIMIT_MS = 300_000;

/** Asks Millrace itself where a group stands, as an operator would. */
export class Observer {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** @throws Error when it takes longer than five minutes */
  async until(group: number, isSo: (state: GroupState) => boolean): Promise<void> {
    await this.#within(async (inspector) => {
      const giveUpAt = performance.now() + LIMIT_MS;
      while (!isSo(await inspector.group(topicsOf({})[0]!, groupName(group)))) {
        if (performance.now() > giveUpAt) throw new Error(`group ${groupName(group)} did not come to what was waited for in ${LIMIT_MS / 1_000} s`);
        await pause(POLL_MS);
      }
    });
  }

  /** All that an operator looks at: where the group stands, and what a seek to its beginning would do. */
  async operate(group: number): Promise<void> {
    await this.#within(async (inspector, groups) => {
      const [topic] = topicsOf({});
      await inspector.group(topic!, groupName(group));
      await groups.seek(topic!, groupName(group), { to: 'earliest', preview: true });
    });
  }

  async #within(work: (inspector: Inspector, groups: Groups) => Promise<void>): Promise<void> {
    const app = await startApplication({ options: { redis: this.#url, handlers: 'none' }, contracts: topicsOf({}) });
    try {
      await work(app.get(Inspector, { strict: false }), app.get(Groups, { strict: false }));
    } finally {
      await app.close();
    }
  }
}
