import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { asError, MillraceError, quote } from '@millrace/core';
import type { RedisTls } from '../connection/redis-target.js';
import type { RedisTlsOptions } from './redis-options.js';

type PemName = 'ca' | 'cert' | 'key';

const PEM_NAMES: readonly PemName[] = ['ca', 'cert', 'key'];

/**
 * Reads the files that are named, and sees whether all of it can be used, before anything connects.
 *
 * @throws MillraceError INVALID_OPTIONS with every problem; keys are in none
 */
export function readTls(options: RedisTlsOptions, where: string): RedisTls {
  const problems: string[] = [];
  const tls: { -readonly [Name in keyof RedisTls]: RedisTls[Name] } = {};
  if (options.servername !== undefined) tls.servername = options.servername;
  for (const name of PEM_NAMES) {
    const given = options[name];
    if (given === undefined) continue;
    try {
      tls[name] = pemOf(given);
    } catch (thrown) {
      problems.push(`${name} ${asError(thrown).message}`);
    }
  }
  if ((options.cert === undefined) !== (options.key === undefined)) problems.push('cert and key must be given together');
  if (problems.length === 0) problems.push(...useProblems(tls));
  if (problems.length > 0) throw new MillraceError('INVALID_OPTIONS', `${where} is not configured well.`, { problems });
  return tls;
}

function pemOf(given: string): string {
  const text = given.trimStart().startsWith('-----BEGIN') ? given : readPem(given);
  if (text.includes('-----BEGIN')) return text;
  throw new Error(`names the file ${quote(given)}, which holds no PEM text: it would begin with -----BEGIN`);
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    const { code = 'it cannot be read' } = thrown as NodeJS.ErrnoException;
    throw new Error(`must be PEM text, or the path of a file that holds it: reading it failed (${code})`, { cause: thrown });
  }
}

/** OpenSSL passes over authorities that it cannot read, and then trusts nobody. */
function useProblems({ ca, ...own }: RedisTls): string[] {
  const uses = { ca: () => ca === undefined || new X509Certificate(ca), 'cert and key': () => createSecureContext(own) };
  return Object.entries(uses).flatMap(([name, use]) => {
    try {
      use();
      return [];
    } catch (thrown) {
      return [`${name} cannot be used: ${asError(thrown).message}`];
    }
  });
}
