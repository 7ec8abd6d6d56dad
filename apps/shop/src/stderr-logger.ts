import { ConsoleLogger, type LogLevel } from '@nestjs/common';

/**
 * Logs errors alone, such as dead letters, and to stderr: stdout is for the result. The demo reports all other events in its own
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
