import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Settings } from '../config/settings.js';
import type { HandlerPlan } from '../explore/plan.js';
import { replicaLines } from '../log/replica-lines.js';
import { servingLine } from '../log/serving-line.js';
import { AbsenceWatch } from './absence-watch.js';
import { Connections } from './connections.js';
import { SignalCheck } from './signal-check.js';
import { SETTINGS } from './tokens.js';

/** Logs what this process serves once it runs, and what is missing for that to end well. */
@Injectable()
export class BootReport {
  readonly #settings: Settings;
  readonly #connections: Connections;
  readonly #signals: SignalCheck;
  readonly #absence: AbsenceWatch;

  constructor(@Inject(SETTINGS) settings: Settings, connections: Connections, signals: SignalCheck, absence: AbsenceWatch) {
    this.#settings = settings;
    this.#connections = connections;
    this.#signals = signals;
    this.#absence = absence;
  }

  async start(plan: HandlerPlan): Promise<void> {
    const { server } = await this.#connections.redis();
    new Logger('Millrace').log(servingLine({ plan, settings: this.#settings, server: server.product }));
    for (const text of replicaLines(plan, server.replicas)) new Logger('Millrace').warn(text);
    this.#signals.start(plan);
    this.#absence.start(plan);
  }

  stop(): void {
    this.#signals.stop();
    this.#absence.stop();
  }
}
