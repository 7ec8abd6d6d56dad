import { type LedgerPort, MillraceError, type PresencePort } from '@millrace/core';
import { Ledger } from '@millrace/ledger';
import type { Topology } from '@millrace/redis';
import { assertServiceName, type OutgoingCall } from './call/outgoing-call.js';
import type { CallerCounters } from './call/caller-counters.js';
import type { ItemSink } from './call/incoming-stream.js';
import { Caller } from './call/caller.js';
import { Directory } from './call/directory.js';
import { Handles, type ResultWait, type StartedCall } from './handle/handles.js';
import { CallMonitor } from './monitor/call-monitor.js';
import type { MethodFigures } from './monitor/method-counts.js';
import { Registry } from './registry/registry.js';
import type { RegistryView } from './registry/registry-view.js';
import { Cancellations } from './serve/cancellations.js';
import { type MethodLedgers, UNNAMED_KEPT_MS } from './serve/execution.js';
import type { ResponderParts } from './serve/responder.js';
import type { ServingState } from './serve/request-slots.js';
import { ServedInstance } from './serve/served-instance.js';
import { ServerCounters } from './serve/server-counters.js';
import { isStreaming, type ServiceDefinition } from './serve/service-definition.js';

/** @param keepMs absent: as long as the options say */
type LedgerOf = (scope: string, keepMs?: number) => LedgerPort;

export interface RpcOptions {
  /** Belongs to the caller: {@link Rpc.stop} does not close it. */
  readonly redis: Topology;
  /** Belongs to the caller, too. */
  readonly presence: PresencePort;
  /** The first part of every key. */
  readonly prefix: string;
  /**
   * How long the answer of an idempotent method is kept for a request that its caller named, and how long that of a call whose
   * result is fetched later is kept behind its deadline. Default 600 000 ms; for other requests a minute.
   */
  readonly keepAnswersMs?: number;
  /**
   * Makes a ledger of an idempotent method, by its scope and how long it keeps answers. Null: answers are not kept, and a
   * repeated request is executed again. Default: one in this Redis.
   */
  readonly ledgerOf?: LedgerOf | null;
  /** Whether callers get the stacks of errors that methods throw. Default false: they name files of the service. */
  readonly exposeStacks?: boolean;
  /** How many requests may wait in one stream; calls beyond are rejected with BACK_PRESSURE. Default 100 000. */
  readonly maxWaiting?: number;
  /** Most bytes of a request or an answer, as JSON in UTF-8. Default 1 MiB. */
  readonly maxPayloadBytes?: number;
  /**
   * How long a method may go on after its signal has aborted, in milliseconds, before the event `call-overdue` tells of it.
   * Default 10 000.
   */
  readonly overdueMs?: number;
  /** How often the version of the registry is asked for, behind the changes that are pushed, about. Default 10 000 ms. */
  readonly registryPollMs?: number;
}

/** A service that this process serves. */
export interface Serving {
  /** The name of this instance, by which it may be called. */
  readonly member: string;
  /** The methods that it executes at the moment. */
  state(): ServingState;
  /** Reads no more requests, waits `deadlineMs` for those that were begun, and leaves the rest to other instances. */
  stop(deadlineMs: number): Promise<void>;
}

/** The items of a streamed answer; {@link pour} has no promise for each. */
export interface StreamedAnswer extends AsyncIterable<string> {
  /** Makes the call and gives each item to the sink when it comes. @returns a function that says that the sink has enough */
  pour(sink: ItemSink): () => void;
}

/** Calls of services, and services that answer them. */
export interface Rpc {
  /**
   * Resolves with the JSON text of the answer; with null when there is none. It settles once, by its deadline at the latest.
   *
   * @throws RpcTimeoutError CALL_TIMEOUT
   * @throws RpcCancelledError CALL_CANCELLED by its signal
   * @throws RpcNoInstanceError NO_INSTANCE
   * @throws RpcIndefiniteError CALL_INDEFINITE when an instance that is gone may have executed it
   * @throws RpcRemoteError REMOTE_FAILED when the method threw an error of its own; a {@link MillraceError} comes back as one
   * @throws MillraceError BACK_PRESSURE, INVALID_INPUT, INVALID_NAME, PAYLOAD_TOO_LARGE, UNKNOWN_METHOD, CLOSED
   */
  call(options: OutgoingCall): Promise<string | null>;
  /**
   * Sends a call whose result is fetched later, also by another process, and resolves with its id when Redis has the request:
   * a name, or one of its own. The time of the call is how long it may take, a day at the most. A call with an id that was
   * started before is sent again, and has its time anew, where it is idempotent and there is no result yet; else it is not.
   *
   * @throws as {@link call}, but for what the method throws; INVALID_INPUT the id belongs to a call of another method
   */
  start(call: OutgoingCall, id?: string): Promise<string>;
  /**
   * Resolves with the JSON text of the answer to a call that was started, with null when there is none. It is kept as long as
   * {@link RpcOptions.keepAnswersMs} says, from the deadline of the call on, and looked for up to once a second.
   *
   * @throws RpcTimeoutError CALL_TIMEOUT; `retryable` while the call has time
   * @throws RpcCancelledError CALL_CANCELLED by the signal, which ends the wait alone
   * @throws MillraceError UNKNOWN_CALL; INVALID_INPUT the id belongs to a call of another method; INVALID_NAME; CLOSED
   * @throws RedisFailure; and as {@link call} what the method throws
   */
  result(started: StartedCall, wait: ResultWait): Promise<string | null>;
  /** Drops the result of a call that was started. */
  forget(id: string): Promise<void>;
  /**
   * Calls a method that answers with a stream. Nothing is sent before the first item is asked for; a loop that is left, or any
   * other `return()`, ends the method. It may be iterated over, or poured into a sink, once.
   *
   * @returns the JSON texts of the items, in order; it throws what {@link call} rejects with, and CALL_INDEFINITE when items are
   * lost
   */
  stream(options: OutgoingCall): StreamedAnswer;
  /**
   * Serves one version of a service as an instance of its own.
   *
   * @throws MillraceError INVALID_NAME, INVALID_INPUT, CLOSED; CONTRACT_CONFLICT a living instance has other methods
   * @throws RedisFailure
   */
  serve(definition: ServiceDefinition): Promise<Serving>;
  /** The instances of services. */
  readonly instances: RegistryView;
  readonly callerCounters: Readonly<CallerCounters>;
  readonly serverCounters: Readonly<ServerCounters>;
  /** The figures of each method that this process has called, and of each that it has executed. */
  figures(): readonly MethodFigures[];
  /** Stops every service, whose methods may call until they end, then rejects pending calls and waits for results. */
  stop(deadlineMs: number): Promise<void>;
}

const DEFAULT_MAX_WAITING = 100_000;
const DEFAULT_MAX_PAYLOAD_BYTES = 1_048_576;
const DEFAULT_OVERDUE_MS = 10_000;

/** Puts remote calls together on connections and a presence that the caller owns. */
export function createRpc(options: RpcOptions): Rpc {
  const { redis, presence, prefix, keepAnswersMs, exposeStacks = false } = options;
  const { maxWaiting = DEFAULT_MAX_WAITING, maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES } = options;
  const { overdueMs = DEFAULT_OVERDUE_MS } = options;
  const counters = new ServerCounters();
  const [called, served] = [new CallMonitor('caller'), new CallMonitor('server')];
  const cancellations = new Cancellations(redis);
  const registry = new Registry({ redis, presence, prefix, pollMs: options.registryPollMs });
  const directory = new Directory(registry.view);
  const caller = new Caller({ redis, presence, prefix, maxWaiting, maxPayloadBytes, directory, monitor: called });
  const handles = new Handles({ redis, prefix, caller, keepMs: keepAnswersMs });
  const ledgers = new Ledgers();
  const ledgerIn = (scope: string, keepMs = keepAnswersMs): LedgerPort =>
    ledgers.add(new Ledger({ redis, presence, prefix, scope, keepMs }));
  const parts = { redis, presence, prefix, exposeStacks, maxPayloadBytes, overdueMs, counters, monitor: served, cancellations };
  const services = new Services(parts, registry, options.ledgerOf === undefined ? ledgerIn : options.ledgerOf);
  return {
    instances: registry.view,
    call: (call) => caller.call(call),
    start: (call, id) => handles.start(call, id),
    result: (started, wait) => handles.result(started, wait),
    forget: (id) => handles.forget(id),
    stream: (call) => caller.stream(call),
    serve: (definition) => services.serve(definition),
    callerCounters: caller.counters,
    serverCounters: counters,
    figures: () => [...called.read(), ...served.read()],
    stop: async (deadlineMs) => {
      const stopBy = performance.now() + deadlineMs;
      await services.stop(deadlineMs);
      handles.stop();
      const callerStops = caller.stop(Math.max(0, stopBy - performance.now()));
      await Promise.all([registry.stop(), ledgers.stop(), cancellations.stop(), callerStops]);
    },
  };
}

/** The ledgers of the idempotent methods of this process. */
class Ledgers {
  readonly #made: Ledger[] = [];

  add(ledger: Ledger): Ledger {
    this.#made.push(ledger);
    return ledger;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#made.map((ledger) => ledger.stop()));
  }
}

type ServingParts = Omit<ResponderParts, 'admit' | 'lost' | 'ledgers'>;

/** The services of this process. */
class Services {
  readonly #parts: ServingParts;
  readonly #registry: Registry;
  readonly #ledgerOf: LedgerOf | null;
  readonly #serving = new Set<Promise<ServedInstance>>();
  #isClosed = false;

  constructor(parts: ServingParts, registry: Registry, ledgerOf: LedgerOf | null) {
    this.#parts = parts;
    this.#registry = registry;
    this.#ledgerOf = ledgerOf;
  }

  async serve(definition: ServiceDefinition): Promise<Serving> {
    assertServable(definition);
    if (this.#isClosed) throw new MillraceError('CLOSED', `Service '${definition.service}' is not served: this process is shutting down.`);
    const parts = { ...this.#parts, ledgers: this.#ledgersOf(definition) };
    const starting = ServedInstance.start(parts, this.#registry, definition);
    this.#serving.add(starting);
    try {
      return await starting;
    } catch (error) {
      this.#serving.delete(starting);
      throw error;
    }
  }

  #ledgersOf({ service, version, methods }: ServiceDefinition): ReadonlyMap<string, MethodLedgers> {
    const ledgerOf = this.#ledgerOf;
    if (ledgerOf === null) return new Map();
    const idempotent = [...methods].filter(([, method]) => method.idempotent && !isStreaming(method));
    return new Map(idempotent.map(([name]) => {
      const scope = `rpc:${service}:${version}:${name}`;
      return [name, { named: ledgerOf(scope), unnamed: ledgerOf(`${scope}:unnamed`, UNNAMED_KEPT_MS) }];
    }));
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#isClosed = true;
    const started = await Promise.allSettled(this.#serving);
    await Promise.all(started.map(async (result) => (result.status === 'fulfilled' ? result.value.stop(deadlineMs) : undefined)));
  }
}

function assertServable(definition: ServiceDefinition): void {
  assertServiceName(definition);
  const { concurrency } = definition;
  if (Number.isSafeInteger(concurrency) && concurrency >= 1) return;
  throw new MillraceError('INVALID_INPUT', `Service '${definition.service}' is not served: its concurrency is no whole number from 1 on.`);
}
