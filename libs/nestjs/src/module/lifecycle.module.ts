import { Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { Lifecycle } from './lifecycle.js';

/** Nest runs hooks by a module's distance from the root, the farthest first; on the way down it is the other way round. */
const NEARER_THAN_THE_ROOT = -1;

/** Starts handlers after every other module has started, and stops them before any other begins to stop. */
@Module({})
export class LifecycleModule implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #lifecycle: Lifecycle;

  constructor(lifecycle: Lifecycle, modules: ModulesContainer) {
    this.#lifecycle = lifecycle;
    for (const module of modules.values()) if (module.metatype === LifecycleModule) module.distance = NEARER_THAN_THE_ROOT;
  }

  onApplicationBootstrap(): Promise<void> {
    return this.#lifecycle.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.#lifecycle.drain();
  }
}
