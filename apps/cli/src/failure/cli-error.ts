/** The failures of the command line itself, beside the codes of `MillraceError` and those of HTTP. */
export type CliCode =
  | 'USAGE'
  | 'NOT_FOUND'
  | 'REFUSED'
  | 'NEEDS_EXECUTE'
  | 'NOT_CONFIRMED'
  | 'API_UNREACHABLE'
  | 'API_FAILED'
  | 'PARTIAL'
  | 'CHECK_FAILED'
  | 'TIME_LIMIT'
  | 'INTERRUPTED';

/** The end of a command that did not do all that was asked for. Its message says in one or two sentences what to do. */
export class CliError extends Error {
  /** One of {@link CliCode}, a code of `MillraceError`, or `HTTP_<status>`. */
  readonly code: string;
  readonly problems: readonly string[];

  constructor(code: string, message: string, problems: readonly string[] = []) {
    super(message);
    this.name = 'CliError';
    this.code = code;
    this.problems = problems;
  }
}

/** The error of a command line that cannot be understood. */
export function usage(message: string): CliError {
  return new CliError('USAGE', message);
}
