import { IsWholeNumber } from '@millrace/core';
import { IsOptional, ValidateBy } from 'class-validator';

/** Options of {@link connectDatabase}. */
export class DatabaseOptions {
  /**
   * `postgres://user:password@host:port/database`. The limits of a transaction may stand in it, in milliseconds:
   * `?statement_timeout=120000` (default 45 seconds), `?idle_in_transaction_session_timeout=60000` (default 30 seconds), 0
   * for the setting of the server.
   */
  @IsPostgresUrl()
  url!: string;

  /** Connections at most, 1 to 1000: a transaction holds one from its beginning to its end. Default 10. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  connections?: number = 10;
}

/** The time limits of one transaction, in milliseconds; 0 is the setting of the server. */
export interface TransactionLimits {
  readonly statementMs: number;
  /** A process that stops in mid-transaction holds its locks this long. */
  readonly idleMs: number;
}

const STATEMENT = { name: 'statement_timeout', defaultMs: 45_000 };
const IDLE = { name: 'idle_in_transaction_session_timeout', defaultMs: 30_000 };

/**
 * The limits that a URL asks for, and the URL without them: as startup parameters they would be refused by poolers such as
 * PgBouncer, so they are set in each transaction instead.
 */
export function splitUrl(text: string): { url: string; limits: TransactionLimits; place: string } {
  const url = new URL(text);
  const limits = { statementMs: limitOf(url, STATEMENT), idleMs: limitOf(url, IDLE) };
  for (const { name } of [STATEMENT, IDLE]) url.searchParams.delete(name);
  return { url: url.href, limits, place: placeOf(url) };
}

/** The place of a database, without user and password, for errors. */
function placeOf(url: URL): string {
  const host = url.host || url.searchParams.get('host') || 'localhost';
  return `${host}${url.pathname}`;
}

function limitOf(url: URL, { name, defaultMs }: typeof STATEMENT): number {
  return Number(url.searchParams.get(name) ?? defaultMs);
}

function IsPostgresUrl(): PropertyDecorator {
  return ValidateBy({
    name: 'isPostgresUrl',
    validator: {
      validate: isPostgresUrl,
      // The value stays out of the message: it may hold a password.
      defaultMessage: () =>
        'url (DATABASE_URL, or the option database) must be of the form postgres://host:port/database, with user:password@ before ' +
        'the host; its special characters are percent-encoded (in a password %23 for #, %2F for /, %3F for ?, %40 for @), and ' +
        'statement_timeout and idle_in_transaction_session_timeout are whole milliseconds',
    },
  });
}

function isPostgresUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !/^postgres(ql)?:\/\//.test(value) || !URL.canParse(value)) return false;
  // A raw # in a password that begins with digits: the text before it would be taken for host and port.
  if (new URL(value).hash !== '') return false;
  const { limits } = splitUrl(value);
  return Object.values(limits).every((ms) => Number.isInteger(ms) && ms >= 0 && ms <= 0x7fff_ffff);
}
