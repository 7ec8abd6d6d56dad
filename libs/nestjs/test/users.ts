import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Injectable } from '@nestjs/common';
import {
  type DeliveryContext, fixed, Job, JobHandler, OnDeadLetter, RpcContract, RpcService, Subscribe, SubscribeBatch,
  SubscribeBroadcast, Topic,
} from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { IsString } from 'class-validator';
import { atOnce } from './fixture.js';

export const USERS = ['publisher', 'consumer', 'admin', 'monitor'] as const;
export type User = (typeof USERS)[number];

const fileOf = (path: string): string => readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');
export const FILE = fileOf('docker/users.acl');
export const PAGE = fileOf('docs/guides/redis-acl.md');
export const passwordOf = (user: User): string => `of the ${user}`;

const retention = { maxAge: '1d', maxMessages: 8, maxBytes: 10_000_000, overflow: 'drop-oldest' } as const;

@Topic<Visit>('users.visits', { partitions: 2, key: ({ name }) => name, retention })
export class Visit {
  @IsString() name!: string;
}

@Topic('users.gone')
export class Gone {
  @IsString() name!: string;
}

@Topic<Turn>('users.turns', { key: ({ name }) => name })
export class Turn {
  @IsString() name!: string;
}

@Job('users-greet', { queue: 'users-greetings', attempts: 2, backoff: fixed('1ms') })
export class Greet {
  @IsString() name!: string;
}

@RpcContract<DeskApi>('users-desk', { book: { input: Visit, output: Visit, idempotent: true } })
export abstract class DeskApi {
  abstract book(visit: Visit): Promise<Visit>;
}

@RpcService(DeskApi)
export class Desk {
  book(visit: Visit): Promise<Visit> {
    return Promise.resolve(visit);
  }
}

@Injectable()
export class Handlers {
  readonly calls: string[] = [];
  isIll = true;
  letGo!: () => void;
  readonly #held = new Promise<void>((resolve) => (this.letGo = resolve));

  @Subscribe(Visit, { group: 'desk', retry: atOnce })
  async welcome({ name }: Visit, { attempt, replayed }: DeliveryContext): Promise<void> {
    this.calls.push(`welcome ${name}${replayed ? ' again' : ''}`);
    if (name === 'held') await this.#held;
    if ((name === 'late' && attempt < 3) || (name === 'poison' && this.isIll)) throw new Error('ill');
  }

  @OnDeadLetter(Visit, { group: 'desk' })
  gaveUp({ name }: Visit): void {
    this.calls.push(`gave up ${name}`);
  }

  @SubscribeBatch(Visit, { group: 'index', batch: { size: 10, wait: '5ms' } })
  index(visits: Visit[]): void {
    this.calls.push(...visits.map(({ name }) => `index ${name}`));
  }

  @SubscribeBroadcast(Visit)
  forget({ name }: Visit): void {
    this.calls.push(`forget ${name}`);
  }

  @Subscribe(Turn, { group: 'turns', ordering: 'key' })
  turn({ name }: Turn): void {
    this.calls.push(`turn ${name}`);
  }

  @JobHandler(Greet)
  greet({ name }: Greet): void {
    this.calls.push(`greet ${name}`);
    if (name === 'late' && this.calls.filter((call) => call === 'greet late').length < 2) throw new Error('ill');
  }

  async had(...calls: string[]): Promise<void> {
    for (const call of calls) await waitFor(() => this.calls.includes(call), { what: call });
  }
}

/**
 * Sets the passwords in a copy of docker/users.acl, as docs/guides/redis-acl.md says.
 *
 * @returns its path
 */
export function fileWithPasswords(folder: string): string {
  const [, commands = ''] = /```sh\n([^]*?)```/.exec(PAGE) ?? [];
  const path = join(folder, 'docker/users.acl');
  mkdirSync(join(folder, 'docker'));
  writeFileSync(path, FILE);
  for (const user of USERS) {
    execFileSync('sh', ['-c', commands.replace('publisher', user)], { cwd: folder, env: { ...process.env, PASSWORD: passwordOf(user) } });
  }
  return path;
}
