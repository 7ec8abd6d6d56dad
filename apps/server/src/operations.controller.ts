import {
  BadRequestException, Controller, Get, HttpStatus, Inject, NotFoundException, Post, Req, Res, VERSION_NEUTRAL,
} from '@nestjs/common';
import { type Operation, OPERATIONS, optionsInBody, optionsInQuery } from '@millrace/admin';
import { Administration } from '@millrace/nestjs';
import { SERVER_SETTINGS } from './admission.js';
import { type Admitted, admittedOf } from './admitted.js';
import { Guarded } from './guarded.js';
import { Needs } from './needs.js';
import type { ServerSettings } from './server-module-options.js';

interface Request {
  readonly raw?: object;
  readonly params: Readonly<Record<string, string>>;
}

interface Response {
  status(code: number): Response;
  type(type: string): Response;
  send(body: string): unknown;
}

/** The use cases of operators: a route for each row of their table. */
@Controller({ version: VERSION_NEUTRAL })
@Guarded()
export class OperationsController {
  readonly #administration: Administration;
  readonly #redact: readonly string[];

  constructor(administration: Administration, @Inject(SERVER_SETTINGS) { redact }: ServerSettings) {
    this.#administration = administration;
    this.#redact = redact;
  }

  async run(operation: Operation, request: Request, response: Response): Promise<void> {
    const admitted = admittedOf(request);
    const view = { payloads: admitted.principal.payloads === true, redact: this.#redact };
    const answer = await this.#administration.seenBy(view).run(operation.name, request.params, optionsOf(operation, admitted));
    if (answer === null) throw new NotFoundException('It is not there.');
    // It is sent here, so that no interceptor of the application makes something else of it.
    response.status(isPartial(answer) ? HttpStatus.MULTI_STATUS : HttpStatus.OK).type('application/json').send(JSON.stringify(answer));
  }
}

for (const operation of OPERATIONS) addRoute(operation);

function addRoute(operation: Operation): void {
  const { name, method, path, role, sends } = operation;
  const value = function (this: OperationsController, request: Request, response: Response): Promise<void> {
    return this.run(operation, request, response);
  };
  const { prototype } = OperationsController;
  Object.defineProperty(prototype, name, { value, configurable: true });
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name)!;
  (method === 'GET' ? Get(path) : Post(path))(prototype, name, descriptor);
  Needs(role, ...(sends ? (['send'] as const) : []))(prototype, name, descriptor);
  Req()(prototype, name, 0);
  Res()(prototype, name, 1);
}

/** @throws BadRequestException for options that the operation would not look at, and for an actor: the principal is it */
function optionsOf({ method, inputs, options }: Operation, { query, body, principal }: Admitted): object {
  if (method === 'GET') {
    if (options === null && Object.keys(query).length > 0) throw new BadRequestException('This takes no parameters.');
    refuseNames(query);
    return optionsInQuery(query, inputs);
  }
  if (Object.keys(query).length > 0) throw new BadRequestException('This takes no parameters: send the options in the body.');
  if (!isRecord(body)) throw new BadRequestException('The body must be a JSON object with the options, {} for none.');
  refuseNames(body);
  if (Object.hasOwn(body, 'actor')) throw new BadRequestException('actor is not for the client to say: it is whoever sends the request.');
  return { ...optionsInBody(body, inputs), actor: principal.name };
}

function refuseNames(given: object): void {
  if (Object.hasOwn(given, '__proto__')) throw new BadRequestException('There is no option __proto__.');
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPartial(answer: unknown): boolean {
  return (answer as { partial?: unknown }).partial === true;
}
