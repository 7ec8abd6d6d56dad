import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Admin, type Operation, OPERATIONS, optionsInBody, optionsInQuery, type Target } from '@millrace/admin';
import { asError, isMillraceError } from '@millrace/core';

const API = '/millrace/api/v1';

/** The operations over HTTP as the table says, and nothing else of a server: for what the command line sends and reads. */
export class TableServer {
  readonly url: string;
  /** The requests: method, path and authorization. */
  readonly heard: string[];
  readonly #server: Server;

  private constructor(server: Server, heard: string[]) {
    this.#server = server;
    this.heard = heard;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(admin: () => Admin, actor: string): Promise<TableServer> {
    const heard: string[] = [];
    const server = createServer((request, response) => {
      heard.push(`${request.method ?? ''} ${request.url ?? ''} ${request.headers.authorization ?? ''}`);
      void answer(request, response, { admin: admin(), actor });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new TableServer(server, heard);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function answer(request: IncomingMessage, response: ServerResponse, parts: { admin: Admin; actor: string }): Promise<void> {
  const send = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' }).end(JSON.stringify(body));
  };
  try {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
    const found = operationAt(request.method ?? '', pathname);
    if (!found) { send(404, { status: 404, title: 'There is no such path.', code: 'HTTP_404' }); return; }
    const { operation, target } = found;
    const options = operation.method === 'GET'
      ? optionsInQuery(Object.fromEntries(searchParams), operation.inputs)
      : { ...optionsInBody(JSON.parse(await text(request)) as Record<string, unknown>, operation.inputs), actor: parts.actor };
    const body = await operation.run(parts.admin, target, options as never);
    if (body === null) { send(404, { status: 404, title: 'It is not there.', code: 'HTTP_404' }); return; }
    send(200, body);
  } catch (thrown) {
    const error = asError(thrown);
    const [code, problems] = isMillraceError(error) ? [error.code, error.problems] : ['HTTP_500', []];
    send(400, { status: 400, title: error.message.split('\n')[0], code, ...(problems.length > 0 ? { problems } : {}) });
  }
}

function operationAt(method: string, pathname: string): { operation: Operation; target: Target } | null {
  for (const operation of OPERATIONS) {
    const names = [...operation.path.matchAll(/:([A-Za-z]+)/g)].map(([, name]) => name!);
    const values = new RegExp(`^${API}${operation.path.replace(/:[A-Za-z]+/g, '([^/]+)')}$`).exec(pathname)?.slice(1);
    if (operation.method !== method || !values) continue;
    return { operation, target: Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(values[index]!)])) };
  }
  return null;
}
