import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, type InputType } from 'node:zlib';
import { BadRequestException, PayloadTooLargeException, UnsupportedMediaTypeException } from '@nestjs/common';
import { type BodyHead, headOf } from './body-claim.js';
import { assertKept, BODY_LIMIT } from './json-body.js';

const JSON_TYPE = /^application\/json\s*(?:;|$)/i;
const CHARSET = /;\s*charset\s*=\s*"?([^\s";]+)/i;

const LIMITS = { maxOutputLength: BODY_LIMIT };

const INFLATE: ReadonlyMap<string, (body: InputType) => Promise<Buffer>> = new Map([
  ['gzip', (body: InputType) => promisify(gunzip)(body, LIMITS)],
  ['deflate', (body: InputType) => promisify(inflate)(body, LIMITS)],
  ['br', (body: InputType) => promisify(brotliDecompress)(body, LIMITS)],
]);

const TOO_LARGE = `The body has more than ${BODY_LIMIT} bytes.`;

/**
 * The value in the JSON body of a request.
 *
 * @param parsed what a parser of the application made of it, where one has
 * @throws HttpException 400, 413, 415
 */
export async function readBody(request: IncomingMessage, parsed: unknown): Promise<unknown> {
  const head = headOf(request) ?? request.headers;
  const type = head['content-type'] ?? '';
  if (!JSON_TYPE.test(type)) {
    throw new UnsupportedMediaTypeException('The payload must be JSON: send it with the header Content-Type: application/json.');
  }
  if (!headOf(request)) return parsed;
  const body = await inflated(await received(request, head), head['content-encoding'] ?? 'identity');
  assertKept(body, (CHARSET.exec(type)?.[1] ?? 'utf-8').toLowerCase());
  return parse(body);
}

async function received(request: IncomingMessage, head: BodyHead): Promise<Buffer> {
  if (Number(head['content-length'] ?? 0) > BODY_LIMIT) throw new PayloadTooLargeException(TOO_LARGE);
  const chunks: Buffer[] = [];
  let length = 0;
  // Events, since a loop over the request would destroy its connection when it ends early, and the answer with it.
  await new Promise<void>((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > BODY_LIMIT) reject(new PayloadTooLargeException(TOO_LARGE));
      else chunks.push(chunk);
    });
    request.once('end', resolve);
    request.once('error', reject);
    request.once('close', () => reject(new BadRequestException('The body ended too early.')));
  });
  return Buffer.concat(chunks);
}

async function inflated(body: Buffer, encoding: string): Promise<Buffer> {
  if (encoding === 'identity') return body;
  const inflateBody = INFLATE.get(encoding.toLowerCase());
  if (!inflateBody) throw new UnsupportedMediaTypeException('The body must be sent as it is, or as gzip, deflate or br.');
  try {
    return await inflateBody(body);
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw new PayloadTooLargeException(TOO_LARGE);
    throw new BadRequestException(`The body is not in the encoding ${encoding.toLowerCase()} as its header says.`);
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    throw new BadRequestException('The body is no JSON.');
  }
}
