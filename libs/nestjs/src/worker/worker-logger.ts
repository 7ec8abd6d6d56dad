import { ConsoleLogger, type LoggerService } from '@nestjs/common';

/** The context under which Nest logs, with its stack, an error that it also throws. */
const NEST_FAILURE = 'ExceptionHandler';

type Log = (...args: unknown[]) => unknown;

/** The logger of a worker, without Nest's report of a failed start: the code that catches the failure reports it, once. */
export function workerLogger(chosen: LoggerService | false | undefined): LoggerService {
  const logger = chosen === false ? new ConsoleLogger({ logLevels: [] }) : (chosen ?? new ConsoleLogger());
  return new Proxy(logger, {
    get: (target, name): unknown => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      const log: Log = (...args) => Reflect.apply(member, target, args) as unknown;
      return name === 'error' ? (...args: unknown[]) => (args.at(-1) === NEST_FAILURE ? undefined : log(...args)) : log;
    },
  });
}
