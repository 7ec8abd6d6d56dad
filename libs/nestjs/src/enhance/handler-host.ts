import { ExecutionContextHost } from '@nestjs/core/internal';

/** The host of a filter around our handlers; to Nest it is one of a microservice. */
export class HandlerHost extends ExecutionContextHost {
  constructor(args: unknown[], type: unknown, callback: (...args: unknown[]) => unknown) {
    super(args, type as never, callback);
    this.setType('rpc');
  }
}
