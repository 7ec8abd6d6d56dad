import { ConsoleLogger, type LogLevel } from '@nestjs/common';

/**
 * Errors alone, such as dead letters, and to stderr: stdout is for the result. What else happens the demo tells in its own
 * words.
 */
export class StderrLogger extends ConsoleLogger {
  constructor() {
    super({ logLevels: ['error', 'fatal'], colors: false });
  }

  protected override printMessages(messages: unknown[], context?: string, level?: LogLevel): void {
    super.printMessages(messages, context, level, 'stderr');
  }
}
