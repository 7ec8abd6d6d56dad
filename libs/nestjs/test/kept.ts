import type { LoggerService } from '@nestjs/common';
import { Journal } from './fixture.js';

/** Keeps what Millrace logs, a level and a text each, and the errors of everybody else. */
export class Kept extends Journal implements LoggerService {
  log(message: string, context: string): void {
    if (context === 'Millrace') this.add(`log ${message}`);
  }

  warn(message: string, context: string): void {
    if (context === 'Millrace') this.add(`warn ${message}`);
  }

  error(message: string, ...rest: string[]): void {
    this.add(`error ${message} ${rest.at(-1) === 'Millrace' ? '' : rest.join(' ')}`.trim());
  }
}
