import { Injectable, Logger } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import type { HandlerPlan } from '../explore/plan.js';

/** Applications enable their hooks before they listen, or right after. */
const LOOK_AFTER_MS = 1_000;

/** The name that @nestjs/testing gives to the root of its applications: nobody sends them signals. */
const TEST_ROOT = 'RootTestModule';

/** Logs when nothing will let the handlers of this process finish: without a listener, SIGTERM ends it at once. */
@Injectable()
export class SignalCheck {
  readonly #modules: ModulesContainer;
  #timer: NodeJS.Timeout | undefined;

  constructor(modules: ModulesContainer) {
    this.#modules = modules;
  }

  start({ subscriptions, broadcasts, jobs, services }: HandlerPlan): void {
    if (subscriptions.length + broadcasts.length + jobs.length + services.length === 0 || this.#isTest()) return;
    this.#timer = setTimeout(look, LOOK_AFTER_MS).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #isTest(): boolean {
    return [...this.#modules.values()].some(({ metatype }) => metatype.name === TEST_ROOT);
  }
}

function look(): void {
  if (process.listenerCount('SIGTERM') > 0) return;
  new Logger('Millrace').warn(
    'Nothing listens to SIGTERM in this process, so it ends at once when it is asked to stop: handlers at work are cut off, and what they ' +
      'held waits for its lease. Call app.enableShutdownHooks() when the application is made, or run it with runWorker().',
  );
}
