import { loadScript, refusedWhenFull } from '@millrace/redis';
import type { Packet } from '@millrace/testing';
import type { Mode } from './mode.js';

/** The requests by which messages change hands. `note`: a member marks a message as begun, or keeps its attempts. */
export type MemberRequest = 'read' | 'settle' | 'note' | 'redrive';

/**
 * Whether a request may arrive when its sender has another connection. A late read of a shared group gives a living member
 * entries that it does not know; nobody puts them back, as docs/adr/0022 says.
 */
export function mayBeLate(mode: Mode, request: MemberRequest | null): boolean {
  return mode === 'ordered' || request !== 'read';
}

const SCRIPTS = '../../../libs/streams/src/scripts';

const settle = loadScript(`${SCRIPTS}/settle.lua`, import.meta.url);

const byDigest = new Map<unknown, MemberRequest>([
  [loadScript(`${SCRIPTS}/fetch.lua`, import.meta.url).sha, 'read'],
  [settle.sha, 'settle'],
  [refusedWhenFull(settle).sha, 'settle'],
  [loadScript(`${SCRIPTS}/note.lua`, import.meta.url).sha, 'note'],
  [loadScript(`${SCRIPTS}/begin.lua`, import.meta.url).sha, 'note'],
  [loadScript(`${SCRIPTS}/redrive.lua`, import.meta.url).sha, 'redrive'],
]);

/** Null for all other packets. A script that Redis does not know yet is sent twice; the first time counts. */
export function memberRequestIn({ direction, command, args }: Packet): MemberRequest | null {
  if (direction !== 'request') return null;
  return (command === 'EVALSHA' ? byDigest.get(args[0]) : command === 'XREADGROUP' ? 'read' : null) ?? null;
}
