import type { Role } from '@millrace/admin';
import { MOMENT_SCHEMA, type Schema } from '@millrace/core';

/** A route that is no use case of operators. */
export interface OtherRoute {
  readonly method: 'GET' | 'POST';
  /** As its controller has it: `/jobs/:job`. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  /** The right that it asks for; null: none. */
  readonly need: Role | 'send' | null;
  /** Headers that it takes, by name. */
  readonly headers?: Readonly<Record<string, Schema>>;
  /** Its statuses when all went well, with a sentence on each. */
  readonly answers: Readonly<Record<string, string>>;
  /** The media type of its answers. Default JSON. */
  readonly type?: string;
}

const TEXT: Schema = { type: 'string' };
const DURATION: Schema = { type: 'string', pattern: '^\\d{1,15}(\\.\\d{1,6})?(ms|s|m|h|d)$' };
const KEY: Schema = { type: 'string', minLength: 1, maxLength: 256 };
const STORED = { 201: 'It is stored.', 200: 'It is a duplicate of one that is stored.' };

export const OTHER_ROUTES: readonly OtherRoute[] = [
  {
    method: 'POST', path: '/topics/:topic/messages', id: 'messages.send', need: 'send', answers: STORED,
    summary: 'Publishes a message to a topic of the application. The body is its payload.',
    headers: {
      'Idempotency-Key': KEY, 'Millrace-Key': TEXT, 'Millrace-Type': TEXT, 'Millrace-Delay': DURATION, 'Millrace-Deliver-At': MOMENT_SCHEMA,
      'Millrace-Ttl': DURATION, 'Millrace-Deadline': DURATION,
    },
  },
  {
    method: 'POST', path: '/jobs/:job', id: 'jobs.enqueue', need: 'send', answers: STORED,
    summary: 'Enqueues a job of the application. The body is its payload.',
    headers: { 'Idempotency-Key': KEY, 'Millrace-Delay': DURATION },
  },
  {
    method: 'POST', path: '/services/:service/:method/call', id: 'services.call', need: 'send',
    summary: 'Calls a method of a service, where calls are on. The body is its request, null for none.',
    headers: { 'Idempotency-Key': KEY, 'Millrace-Timeout': DURATION, 'Millrace-Version': TEXT },
    answers: { 200: 'The answer of the method.', 202: 'The service has the request, and will not answer.' },
  },
  {
    method: 'GET', path: '/live', id: 'live', need: 'viewer', type: 'text/event-stream', answers: { 200: 'Events overview, lag, problem and ping.' },
    summary: 'Sends the overview and the groups that are furthest behind, once a second, as server-sent events.', headers: { 'Last-Event-ID': TEXT },
  },
  { method: 'GET', path: '/openapi.json', id: 'openapi', need: 'viewer', summary: 'Describes these routes: OpenAPI 3.1.', answers: { 200: 'The document.' } },
  {
    method: 'GET', path: '/asyncapi.json', id: 'asyncapi', need: 'viewer', answers: { 200: 'The document.' },
    summary: 'Describes the topics of the application and those that are known in Redis: AsyncAPI 3.0.',
  },
  {
    method: 'GET', path: '/metrics', id: 'metrics', need: 'viewer', type: 'text/plain', answers: { 200: 'The metrics.' },
    summary: 'Gives the metrics of the process, as Prometheus reads them.',
  },
  {
    method: 'GET', path: '/health/live', id: 'health.live', need: null, summary: 'Says whether the process is worth keeping.',
    answers: { 200: 'It is.', 503: 'It is not.' },
  },
  {
    method: 'GET', path: '/health/ready', id: 'health.ready', need: null, summary: 'Says whether the process does its work.',
    answers: { 200: 'It does.', 503: 'It does not, or it starts or stops.' },
  },
];
