import { type DynamicModule, Inject, Module, type Type } from '@nestjs/common';
import { ModuleRef, NestApplicationContext } from '@nestjs/core';
import { STATIC_CONTEXT } from '@nestjs/core/injector/constants.js';
import type { NestContainer } from '@nestjs/core/injector/container.js';
import type { WorkerRole } from '../config/settings.js';
import { WORKER_ROLE } from '../module/tokens.js';

/** A role that also keeps the application, for the case that it fails to start. */
export class HostedRole implements WorkerRole {
  readonly handlers: WorkerRole['handlers'];
  readonly tags: WorkerRole['tags'];
  container: NestContainer | null = null;

  constructor(handlers: WorkerRole['handlers'], tags?: WorkerRole['tags']) {
    this.handlers = handlers;
    this.tags = tags;
  }

  /** Nest hands an application out only when it has started. One that did not has its shutdown hooks called here. */
  async closeUnstarted(): Promise<void> {
    if (!this.container) return;
    forgetUnmade(this.container);
    await new NestApplicationContext(this.container).close();
  }
}

/** Nest holds an empty object of the class until it calls the constructor; the hooks of that object would lack their fields. */
function forgetUnmade(container: NestContainer): void {
  for (const { providers, controllers, injectables, middlewares } of container.getModules().values()) {
    for (const wrapper of [providers, controllers, injectables, middlewares].flatMap((made) => [...made.values()])) {
      if (!wrapper.getInstanceByContextId(STATIC_CONTEXT).isResolved) wrapper.instance = undefined;
    }
  }
}

/** The root of a process that uses an application's contracts and services and runs none of its handlers. */
export function withoutHandlers(app: Type | DynamicModule): DynamicModule {
  return WorkerRoot.of(app, new HostedRole('none'));
}

@Module({})
class WorkerRoleModule {}

/** The root of a worker process: the application, and the decisions of the host about it. */
@Module({})
export class WorkerRoot {
  constructor(modules: ModuleRef, @Inject(WORKER_ROLE) role: HostedRole) {
    role.container = modules['container'];
  }

  static of(app: Type | DynamicModule, role: HostedRole): DynamicModule {
    const provided = { provide: WORKER_ROLE, useValue: role };
    return {
      module: WorkerRoot,
      imports: [{ module: WorkerRoleModule, global: true, providers: [provided], exports: [WORKER_ROLE] }, app],
    };
  }
}
