import { type InputKind, type Operation, OPERATIONS } from '@millrace/admin';
import { MOMENT_SCHEMA, NAME_SCHEMA, type Schema, SchemaBook } from '@millrace/core';
import { type OtherRoute, OTHER_ROUTES } from './other-routes.js';

const KINDS: Readonly<Record<InputKind, Schema>> = {
  text: { type: 'string' },
  number: { type: 'number' },
  boolean: { type: 'boolean' },
  moment: MOMENT_SCHEMA,
  position: {
    oneOf: [
      { enum: ['earliest', 'latest'] }, MOMENT_SCHEMA,
      { type: 'object', properties: { offset: { type: 'integer', minimum: 0 } }, required: ['offset'], additionalProperties: false },
    ],
  },
  json: {},
};

/** Parts of paths that are no names. */
const PLACES: Readonly<Record<string, Schema>> = {
  partition: { type: 'integer', minimum: 0 }, offset: { type: 'integer', minimum: 0 }, id: { type: 'string' },
};

const PROBLEM: Schema = {
  type: 'object',
  description: 'RFC 9457, with a code that stays the same from version to version.',
  properties: {
    title: { type: 'string', description: 'The phrase of HTTP for the status.' }, status: { type: 'integer' },
    detail: { type: 'string', description: 'Says what happened this time.' },
    code: { type: 'string' }, problems: { type: 'array', items: { type: 'string' } },
  },
  required: ['title', 'status', 'detail', 'code'],
};

const FAILURE = { description: 'A problem.', content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } };

/** The routes of the server as an OpenAPI 3.1 document: those of the table of use cases, and the others. */
export function openApiDocument(): object {
  const book = new SchemaBook();
  const paths: Record<string, Record<string, object>> = {};
  const add = (method: string, path: string, route: object): void => {
    (paths[path.replace(/:(\w+)/g, '{$1}')] ??= {})[method.toLowerCase()] = route;
  };
  for (const operation of OPERATIONS) add(operation.method, operation.path, useCase(operation, book));
  for (const route of OTHER_ROUTES) add(route.method, route.path, other(route));
  return {
    openapi: '3.1.0',
    info: { title: 'Millrace', version: '1', description: 'Topics, jobs and calls on Redis: the use cases of operators, publish, enqueue and call.' },
    // Wherever this document is, the routes are beside it.
    servers: [{ url: '.' }],
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'A token, where the application does not ask for something else.' } },
      schemas: { Problem: PROBLEM, ...book.schemas },
    },
  };
}

function useCase({ name, method, path, role, sends, summary, inputs, options }: Operation, book: SchemaBook): object {
  const known = options ? book.propertiesOf(options).properties : {};
  const schemas = Object.entries(inputs).map(([input, kind]): [string, Schema] => [input, optionSchema(kind, known[input])]);
  const isRead = method === 'GET';
  const query = isRead ? schemas.map(([input, schema]) => ({ name: input, in: 'query', ...inQuery(inputs[input]!, schema) })) : [];
  const body = { type: 'object', properties: Object.fromEntries(schemas), additionalProperties: false };
  return {
    operationId: name, summary, description: `${rightOf(role)}${sends ? ' It asks for the right to send, too.' : ''}`, tags: [name.split('.')[0]],
    parameters: [...inPath(path), ...query],
    ...(isRead ? {} : { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: { 200: answer('The answer.'), ...(isRead ? {} : { 207: answer('A part of it was done.') }), default: FAILURE },
  };
}

/** The kind says how an option is written, its class what it may be; rules for a `Date` are for the text of it here. */
function optionSchema(kind: InputKind, rules: Schema = {}): Schema {
  if (kind === 'moment' || kind === 'position') return KINDS[kind];
  return { ...KINDS[kind], ...rules };
}

function inQuery(kind: InputKind, schema: Schema): object {
  return kind === 'json' || kind === 'position' ? { content: { 'application/json': { schema } } } : { schema };
}

function other({ path, id, summary, need, headers = {}, answers, type = 'application/json', method }: OtherRoute): object {
  const told = Object.entries(answers).map(([status, text]) => [status, answer(text, type)] as const);
  const sent = Object.entries(headers).map(([name, schema]) => ({ name, in: 'header', schema }));
  return {
    operationId: id, summary, description: rightOf(need), tags: [id.split('.')[0]], ...(need === null ? { security: [] } : {}),
    parameters: [...inPath(path), ...sent],
    ...(method === 'POST' ? { requestBody: { required: true, content: { 'application/json': { schema: {} } } } } : {}),
    responses: { ...Object.fromEntries(told), default: FAILURE },
  };
}

function rightOf(need: OtherRoute['need']): string {
  if (need === null) return 'For everyone.';
  return need === 'send' ? 'For those who may send.' : `For the role ${need} and those above it.`;
}

function inPath(path: string): object[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({ name, in: 'path', required: true, schema: PLACES[name] ?? NAME_SCHEMA }));
}

function answer(description: string, type = 'application/json'): object {
  return { description, content: { [type]: {} } };
}
