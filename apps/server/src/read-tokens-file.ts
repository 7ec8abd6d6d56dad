import { readFileSync } from 'node:fs';
import { MillraceError } from '@millrace/core';
import { knownTokens, type ServerTokenOptions } from './server-token-options.js';

/**
 * The tokens in a file of JSON: a list of the form of the option `tokens`.
 *
 * @throws MillraceError INVALID_OPTIONS, without anything that stands in the file but names
 */
export function readTokensFile(path: string): ServerTokenOptions[] {
  const given = parsed(textOf(path), path);
  knownTokens(given, `MILLRACE_TOKENS_FILE (${path})`);
  return given as ServerTokenOptions[];
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new MillraceError('INVALID_OPTIONS', `MILLRACE_TOKENS_FILE is ${path}, which cannot be read: ${(cause as Error).message}.`, { cause });
  }
}

/** The error of JSON.parse would show a part of the file, so it is no cause. */
function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MillraceError('INVALID_OPTIONS', `MILLRACE_TOKENS_FILE is ${path}, which is no JSON.`);
  }
}
