import { checkAll, type Duration, durationMs, MillraceError, parseOptions, type UnknownProperties } from '@millrace/core';
import type { InboxPlace } from '@millrace/outbox';
import { redisTarget, type RedisTarget } from '@millrace/redis';
import { defaultOf, type EnvironmentValues, nameList, readEnvironment } from './environment.js';
import { CallsOptions } from './calls-options.js';
import type { HandlerSelection, SelectionWord } from './handler-selection.js';
import { type DatabaseSource, InboxOptions, isSource } from './inbox-options.js';
import { MillraceOptions } from './millrace-options.js';
import { OutboxOptions } from './outbox-options.js';

/** The settings of a process: its options, its environment and the defaults put together. */
export interface Settings {
  readonly redis: RedisTarget;
  readonly prefix: string;
  /** The first part of the names of its connections. Absent: the prefix. */
  readonly connectionName?: string;
  /** Tells it apart from others with the same prefix. */
  readonly application: string;
  /** Null: no database was named by a URL. */
  readonly databaseUrl: string | null;
  /** Null: the application gives no library of its own. */
  readonly databaseSource: DatabaseSource | null;
  /** The database was named in the options, so it is connected at boot whether a handler needs it or not. */
  readonly databaseWanted: boolean;
  readonly databaseConnections: number;
  readonly inboxKeepMs: number;
  readonly inbox: InboxTables;
  readonly handlers: HandlerSelection;
  /** Tags of every service of this process. */
  readonly tags: readonly string[];
  readonly leaseMs: number;
  readonly shutdownTimeoutMs: number;
  readonly publishDeadlineMs: number;
  readonly publishBufferBytes: number;
  readonly calls: CallSettings;
  /** Null: there is no outbox. */
  readonly outbox: OutboxSettings | null;
  readonly metrics: boolean;
  readonly tracing: 'off' | 'parent' | 'link';
  readonly globalEnhancers: boolean;
  /** For topics and jobs that say nothing themselves. */
  readonly unknownProperties: UnknownProperties;
}

/** The tables of the inbox. */
export interface InboxTables {
  readonly place: InboxPlace;
  readonly createTables: boolean;
}

/** The bounds of remote calls. */
export interface CallSettings {
  readonly keepAnswersMs: number;
  readonly exposeStacks: boolean;
  readonly maxWaiting: number;
  readonly maxPayloadBytes: number;
}

/** The options of the outbox, with whether its relay runs here. */
export type OutboxSettings = OutboxOptions & { readonly relay: boolean };

/** The decisions of a host about the application that it runs. */
export interface WorkerRole {
  /** Undefined: the selection of the environment or of the application, else all. */
  readonly handlers: HandlerSelection | undefined;
  /** Undefined: those of the application or the environment. */
  readonly tags?: readonly string[] | undefined;
}

/**
 * Options win over the environment, and the host of a worker over both.
 *
 * @throws MillraceError INVALID_OPTIONS with every problem of options and environment
 */
export function readSettings(options: object, env: NodeJS.ProcessEnv, role?: WorkerRole): Settings {
  const { given, redis, calls, inbox, outbox, variables } = checkAll('Millrace is not configured well.', {
    given: () => parseOptions(MillraceOptions, options, 'MillraceModule'),
    redis: () => redisTarget((options as Partial<MillraceOptions> | null)?.redis, env),
    calls: () => callSettings((options as Partial<MillraceOptions> | null)?.calls ?? {}),
    inbox: () => inboxTables((options as Partial<MillraceOptions> | null)?.inbox ?? {}),
    outbox: () => outboxOptions((options as Partial<MillraceOptions> | null)?.outbox),
    variables: () => readEnvironment(env),
  });
  const text = (option: string | undefined, name: keyof EnvironmentValues): string =>
    option ?? variables[name] ?? defaultOf(name);
  const source = isSource(given.database) ? given.database : null;
  const databaseUrl = source ? '' : text(given.database as string | undefined, 'DATABASE_URL');
  return {
    redis,
    prefix: text(given.prefix, 'MILLRACE_PREFIX'),
    application: given.application,
    databaseUrl: databaseUrl === '' ? null : databaseUrl,
    databaseSource: source,
    databaseWanted: given.database !== undefined,
    databaseConnections: given.databaseConnections,
    inboxKeepMs: durationMs(text(given.inboxKeep, 'MILLRACE_INBOX_KEEP') as Duration),
    inbox,
    handlers: selectionOf({ options: given.handlers, environment: selectedByEnvironment(variables), role }),
    tags: role?.tags ?? (given as MillraceOptions).tags ?? nameList(variables.MILLRACE_TAGS) ?? [],
    leaseMs: durationMs(text(given.lease, 'MILLRACE_LEASE') as Duration),
    shutdownTimeoutMs: durationMs(text(given.shutdownTimeout, 'MILLRACE_SHUTDOWN_TIMEOUT') as Duration),
    publishDeadlineMs: durationMs(given.publishDeadline),
    publishBufferBytes: given.publishBufferBytes,
    calls,
    outbox: outboxSettings(outbox, variables.MILLRACE_OUTBOX),
    metrics: given.metrics,
    tracing: given.tracing,
    globalEnhancers: given.globalEnhancers,
    unknownProperties: given.unknownProperties,
  };
}

function inboxTables(raw: object): InboxTables {
  const { createTables, ...place } = parseOptions(InboxOptions, raw, 'MillraceModule, inbox');
  return { place, createTables };
}

function callSettings(raw: object): CallSettings {
  const { keepAnswers, exposeStacks, maxWaiting, maxPayloadBytes } = parseOptions(CallsOptions, raw, 'MillraceModule, calls');
  return { keepAnswersMs: durationMs(keepAnswers), exposeStacks, maxWaiting, maxPayloadBytes };
}

/** Undefined: the options say nothing. */
function outboxOptions(raw: boolean | OutboxOptions | null | undefined): OutboxOptions | false | undefined {
  if (raw === undefined || raw === false) return raw;
  // Another rule refuses what is no object.
  if (raw === null || typeof raw !== 'object') return {};
  return parseOptions(OutboxOptions, raw, 'MillraceModule, outbox');
}

function outboxSettings(options: OutboxOptions | false | undefined, variable: string | undefined): OutboxSettings | null {
  const isWanted = variable === undefined ? undefined : variable === '1' || variable === 'true';
  if (options === false || (options === undefined && !isWanted)) return null;
  return Object.assign(new OutboxOptions(), options, { relay: options?.relay ?? isWanted ?? true });
}

interface Selections {
  readonly options: HandlerSelection | undefined;
  readonly environment: HandlerSelection | undefined;
  readonly role: WorkerRole | undefined;
}

/** `handlers: 'none'` is meant for the other processes of the application: a worker that runs nothing is of no use. */
function selectionOf({ options, environment, role }: Selections): HandlerSelection {
  if (!role) return options ?? environment ?? 'all';
  return role.handlers ?? (options === 'none' ? undefined : options) ?? environment ?? 'all';
}

/** @throws MillraceError INVALID_OPTIONS when the environment selects handlers twice */
function selectedByEnvironment(variables: EnvironmentValues): HandlerSelection | undefined {
  const { MILLRACE_HANDLERS: word } = variables;
  const groups = nameList(variables.MILLRACE_GROUPS);
  const queues = nameList(variables.MILLRACE_QUEUES);
  const services = nameList(variables.MILLRACE_SERVICES);
  if (!groups && !queues && !services) return word;
  if (word) throw contradiction(word, groups ? 'MILLRACE_GROUPS' : queues ? 'MILLRACE_QUEUES' : 'MILLRACE_SERVICES');
  return { ...(groups && { groups }), ...(queues && { queues }), ...(services && { services }) };
}

function contradiction(word: SelectionWord, names: string): MillraceError {
  const what = `The environment says with MILLRACE_HANDLERS=${word} which handlers run, and names some in ${names}`;
  return new MillraceError('INVALID_OPTIONS', `${what}: nobody can say which is meant. Set one of the two.`);
}
