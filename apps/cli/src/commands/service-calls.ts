import type { ListedInstance, ServiceSummary } from '@millrace/admin';
import { type Duration, durationMs } from '@millrace/core';
import type { MethodFigures } from '@millrace/rpc';
import { Option } from 'commander';
import { text as textIn } from 'node:stream/consumers';
import { placeOf } from '../connection/connection.js';
import { CliError, usage } from '../failure/cli-error.js';
import type { Json, JsonOf } from '../operator/operator.js';
import { COUNT, MILLISECONDS, TEXT, YES_NO } from '../output/humanise.js';
import { jsonText } from '../output/json-text.js';
import type { Shape } from '../output/output.js';
import type { CommandSpec } from '../session/command-spec.js';
import { duration } from '../session/common-options.js';
import { readPages } from '../session/pages.js';
import type { Session } from '../session/session.js';

type Figures = JsonOf<MethodFigures>;
type Instance = JsonOf<ListedInstance>;

const ALL = 1_000_000;

/** A service and its instances that take calls. */
interface Pinged {
  readonly service: string;
  readonly answers: boolean;
  readonly alive: number;
  readonly instances: number;
  /** How long ago the last sign of life came, in milliseconds; null when there is none. */
  readonly heardMs: number | null;
}

const PINGED: Shape<Pinged> = {
  id: ({ service }) => service,
  columns: [
    { title: 'service', form: TEXT, of: ({ service }) => service },
    { title: 'answers', form: YES_NO, of: ({ answers }) => answers },
    { title: 'alive', form: COUNT, of: ({ alive }) => alive },
    { title: 'instances', form: COUNT, of: ({ instances }) => instances },
    { title: 'heard', form: MILLISECONDS, of: ({ heardMs }) => heardMs },
  ],
};

const FIGURES: Shape<Figures> = {
  id: ({ side, service, method }) => `${side} ${service}.${method}`,
  columns: [
    { title: 'side', form: TEXT, of: ({ side }) => side },
    { title: 'service', form: TEXT, of: ({ service }) => service },
    { title: 'version', form: TEXT, of: ({ version }) => version },
    { title: 'method', form: TEXT, of: ({ method }) => method },
    { title: 'calls', form: COUNT, of: ({ calls }) => calls },
    { title: 'in flight', form: COUNT, of: ({ inFlight }) => inFlight },
    { title: 'failed', form: COUNT, of: ({ failed }) => Object.values(failed).reduce((sum, count) => sum + (count ?? 0), 0) },
    { title: 'mean', form: MILLISECONDS, of: meanOf },
    { title: '95 % within', form: MILLISECONDS, of: (figures) => boundOf(figures, 0.95) },
  ],
};

export const ping: CommandSpec = {
  name: 'ping',
  summary: 'Check that services have an instance that is alive and takes calls.',
  args: ['[service]'],
  help: 'It goes by the signs of life that instances give, and calls no method. It ends with exit code 7 when a service has none, and when there is no service at all; with 3 when nobody serves the one that is named.',
  examples: ['millrace services ping', 'millrace services ping payments'],
  run: async (session) => {
    const name = session.arg(0);
    const options = { service: name === '' ? undefined : name };
    const { items } = await readPages<ListedInstance>(session, { operation: 'services.instances', options }, { limit: ALL });
    if (name !== '' && items.length === 0) throw notServed(name);
    const services = [...new Set(items.map(({ service }) => service))].sort();
    const pinged = services.map((service) => pingedOf(service, items.filter((each) => each.service === service)));
    session.output.list({ items: pinged }, PINGED);
    if (pinged.length === 0) throw new CliError('CHECK_FAILED', 'No service has an instance, so nothing takes calls. Start one, or check with millrace doctor that this is the Redis and the prefix of your services.');
    const silent = pinged.filter(({ answers }) => !answers).map(({ service }) => service);
    if (silent.length > 0) throw new CliError('CHECK_FAILED', `No instance is alive and takes calls: ${silent.join(', ')}. Look with millrace instances ls.`);
  },
};

export const stats: CommandSpec = {
  name: 'stats',
  summary: 'Show the figures of calls that a server has made and answered since it started.',
  args: ['[service]'],
  help: 'Each process counts its own calls, so it needs --url or a context of a server.',
  examples: ['millrace services stats --url http://127.0.0.1:3000', 'millrace services stats payments --url http://127.0.0.1:3000 --json'],
  run: async (session) => {
    if (!('url' in placeOf(session.options(), session.surroundings.env))) {
      throw usage('Each process counts its own calls, and Redis has none of these figures. Say which server is asked: --url.');
    }
    const service = session.arg(0);
    const all = await session.ask<MethodFigures[]>('services.calls');
    session.output.list({ items: all.filter((figures) => service === '' || figures.service === service) }, FIGURES);
  },
};

export const call: CommandSpec = {
  name: 'call',
  summary: 'Call a method of a service, and print its answer as JSON.',
  args: ['<service.method>', '[json]'],
  options: [
    new Option('--timeout <duration>', 'how long to wait for the answer, up to 1h; default: as long as the method says').argParser(duration),
    new Option('--service-version <version>', 'the version of the service, where it has several'),
  ],
  help: 'Without a JSON text the request is null; - reads it from standard input. The method is executed: nothing is asked before.',
  examples: [`millrace services call payments.charge '{"orderId":"A-1","cents":250}' --timeout 3s`, 'millrace services call stock.count - < request.json'],
  run: async (session) => {
    const { timeout, serviceVersion } = session.options<{ timeout?: Duration; serviceVersion?: string }>();
    const [service, method] = namesIn(session.arg(0));
    const request = requestIn(session.arg(1) === '-' ? await textIn(session.surroundings.stdin) : session.arg(1));
    const version = serviceVersion ?? (await onlyVersion(session, service));
    const timeoutMs = timeout === undefined ? null : durationMs(timeout);
    const result = await session.operator.call({ service, version, method, request, timeoutMs, signal: session.signal });
    if (session.output.isJson) session.output.document({ result });
    else session.output.data(`${jsonText(result, session.surroundings.stdout.isTTY ? 2 : 0)}\n`);
  },
};

function pingedOf(service: string, instances: readonly Instance[]): Pinged {
  const alive = instances.filter(({ state, draining }) => state === 'present' && !draining);
  const heard = instances.flatMap(({ heardMs }) => (heardMs === null ? [] : [heardMs]));
  const heardMs = heard.length === 0 ? null : Math.min(...heard);
  return { service, answers: alive.length > 0, alive: alive.length, instances: instances.length, heardMs };
}

function meanOf({ latency }: Figures): number | null {
  const ended = latency.counts.reduce((sum, count) => sum + count, 0);
  return ended === 0 ? null : latency.sumMs / ended;
}

/** The least bound that this share of the calls did not pass; null when there is none. */
function boundOf({ latency: { counts, boundsMs } }: Figures, share: number): number | null {
  let left = counts.reduce((sum, count) => sum + count, 0) * share;
  if (left === 0) return null;
  const index = counts.findIndex((count) => (left -= count) <= 0);
  return boundsMs[index] ?? null;
}

/** The name of a service may have dots, that of a method has none. */
function namesIn(text: string): [service: string, method: string] {
  const dot = text.lastIndexOf('.');
  if (dot > 0 && dot < text.length - 1) return [text.slice(0, dot), text.slice(dot + 1)];
  throw usage('Say the service and the method, as payments.charge. See millrace services call --help.');
}

function requestIn(text: string): Json {
  if (text === '') return null;
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw usage(`The request is no JSON: ${(error as Error).message.split('\n')[0]!}. Quote it for your shell, as '{"orderId":"A-1"}', or pipe it to -.`);
  }
}

/** @throws CliError NOT_FOUND, USAGE */
async function onlyVersion(session: Session, service: string): Promise<string> {
  const { items } = await readPages<ServiceSummary>(session, { operation: 'services.list' }, { limit: ALL });
  const versions = items.filter((each) => each.service === service).map(({ version }) => version);
  const [version, ...others] = versions;
  if (version === undefined) throw notServed(service);
  if (others.length > 0) throw usage(`${service} is served in several versions: ${versions.join(', ')}. Say --service-version.`);
  return version;
}

function notServed(service: string): CliError {
  return new CliError('NOT_FOUND', `No instance serves ${service} now. See millrace services ls.`);
}
