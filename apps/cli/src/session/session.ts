import type { Target } from '@millrace/admin';
import type { Command } from 'commander';
import { type ConnectionOptions, operatorFor } from '../connection/connection.js';
import { CliError } from '../failure/cli-error.js';
import type { JsonOf, OperationOptions, Operator } from '../operator/operator.js';
import { Output, type OutputOptions } from '../output/output.js';
import type { Surroundings } from '../surroundings/surroundings.js';

/** The options of every command. */
export interface CommonOptions extends ConnectionOptions, OutputOptions {
  readonly execute?: boolean;
  readonly yes?: boolean;
}

/** A command line as it was understood. */
export interface Invocation {
  /** The whole tree of commands. */
  readonly program: Command;
  /** `millrace topics ls`. */
  readonly command: string;
  /** All that stood behind `millrace`. */
  readonly line: readonly string[];
  readonly args: readonly (string | readonly string[] | undefined)[];
  readonly options: CommonOptions;
}

/** One run of a command: its arguments, and whom and what it has for it. */
export class Session {
  readonly invocation: Invocation;
  readonly surroundings: Surroundings;
  readonly output: Output;
  #operator: Operator | null = null;

  constructor(invocation: Invocation, surroundings: Surroundings) {
    this.invocation = invocation;
    this.surroundings = surroundings;
    this.output = new Output(surroundings, invocation.options);
  }

  /** Aborts at Ctrl-C. */
  get signal(): AbortSignal {
    return this.surroundings.signal;
  }

  /** The argument at this place; '' when it was left out. */
  arg(index: number): string {
    const given = this.invocation.args[index];
    return typeof given === 'string' ? given : '';
  }

  /** The options, as the command declares them. */
  options<Own extends object = object>(): Own & CommonOptions {
    return this.invocation.options as Own & CommonOptions;
  }

  /** Opened when it is first asked for. */
  get operator(): Operator {
    return (this.#operator ??= operatorFor(this.invocation.options, this.surroundings));
  }

  /**
   * Runs an operation whose answer is a `T`.
   *
   * @throws CliError API_UNREACHABLE when a server does not know the operation
   */
  async ask<T>(operation: string, target: Target = {}, options: OperationOptions = {}): Promise<JsonOf<T>> {
    const answer = await this.operator.run(operation, target, options);
    if (answer !== null) return answer as JsonOf<T>;
    throw new CliError('API_UNREACHABLE', `The server knows nothing of ${operation}. Check --url, or MILLRACE_URL, and that it is as new as this command line.`);
  }

  /**
   * As {@link ask}, for one thing.
   *
   * @throws CliError NOT_FOUND with the advice
   */
  async find<T>(question: Question, advice: string): Promise<NonNullable<JsonOf<T>>> {
    const found = await this.operator.run(question.operation, question.target, question.options);
    if (found !== null) return found as NonNullable<JsonOf<T>>;
    throw new CliError('NOT_FOUND', advice);
  }

  async close(): Promise<void> {
    await this.#operator?.close();
  }
}

export interface Question {
  readonly operation: string;
  readonly target?: Target;
  readonly options?: OperationOptions;
}
