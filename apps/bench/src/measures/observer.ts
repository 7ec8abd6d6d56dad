import type { INestApplicationContext } from '@nestjs/common';
import { type GroupState, Groups, Inspector } from '@millrace/nestjs';
import { groupName, topicsOf } from '../contenders/millrace.js';
import { startApplication } from '../contenders/millrace-application.js';
import type { Stage } from '../stage.js';

const POLL_MS = 200;
const [TOPIC] = topicsOf({}) as [ReturnType<typeof topicsOf>[number]];

/** Asks Millrace itself about a group, as an operator would. */
export class Observer {
  readonly #app: INestApplicationContext;
  readonly #stage: Stage;

  private constructor(app: INestApplicationContext, stage: Stage) {
    this.#app = app;
    this.#stage = stage;
  }

  static async open(url: string, stage: Stage): Promise<Observer> {
    return new Observer(await startApplication({ options: { redis: url, handlers: 'none' }, contracts: [TOPIC] }), stage);
  }

  /** @throws AbortError when the time is up before */
  async until(group: number, isSo: (state: GroupState) => boolean): Promise<void> {
    const inspector = this.#app.get(Inspector, { strict: false });
    while (!isSo(await inspector.group(TOPIC, groupName(group)))) await this.#stage.pause(POLL_MS);
  }

  /** The calls of an operator: the state of the group, and the plan of a seek to its beginning. */
  async operate(group: number): Promise<void> {
    await this.#app.get(Inspector, { strict: false }).group(TOPIC, groupName(group));
    await this.#app.get(Groups, { strict: false }).seek(TOPIC, groupName(group), { to: 'earliest', preview: true });
  }

  close(): Promise<void> {
    return this.#app.close();
  }
}
