import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TypeScriptChild } from '@millrace/testing';
import { ProcessLock } from '../src/surroundings/process-lock.js';

const HOLDER = new URL('./fixtures/lock-holder.ts', import.meta.url);

let [folder, lock] = ['', ''];
const children: TypeScriptChild[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-lock-'));
  lock = join(folder, 'lock');
});
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill()));
  await rm(folder, { recursive: true });
});

function holder(): TypeScriptChild {
  const child = new TypeScriptChild(HOLDER, { args: [lock] });
  children.push(child);
  return child;
}

/** Takes the lock, lets go of it, and leaves nothing. */
async function expectFree(): Promise<void> {
  const taken = ProcessLock.take(lock);
  expect(taken).toBeInstanceOf(ProcessLock);
  (taken as ProcessLock).release();
  expect(await readdir(folder)).toEqual([]);
}

describe('the lock of a process', () => {
  it('is that of one process until it lets go of it', async () => {
    const child = holder();
    expect(await child.line()).toBe('held');
    expect(ProcessLock.take(lock)).toMatchObject({ pid: child.process.pid });
    child.tell('release');
    expect(await child.line()).toBe('released');
    await expectFree();
  });

  it('goes with the process that ends, and is taken over from one that was killed', async () => {
    const ending = holder();
    await ending.line();
    ending.tell('end');
    await ending.ended;
    expect(await readdir(folder)).toEqual([]);
    const killed = holder();
    await killed.line();
    await killed.kill();
    expect(await readdir(folder)).toEqual(['lock']);
    await expectFree();
  });

  it('is taken over by one of several that find a dead one', async () => {
    await holder().line();
    await children.pop()!.kill();
    const said = await Promise.all(Array.from({ length: 5 }, () => holder().line()));
    expect(said.filter((line) => line === 'held')).toHaveLength(1);
  });

  it('is not that of a process that has the number of a dead one', async () => {
    const child = holder();
    await child.line();
    await child.kill();
    const [, ...rest] = (await readFile(lock, 'utf8')).split(' ');
    await writeFile(lock, [process.pid, ...rest].join(' '));
    await expectFree();
  });

  it('stays that of another one, where its file was removed and taken meanwhile', async () => {
    const first = holder();
    expect(await first.line()).toBe('held');
    await rm(lock);
    const second = ProcessLock.take(lock) as ProcessLock;
    first.tell('release');
    expect(await first.line()).toBe('released');
    expect(await readdir(folder)).toEqual(['lock']);
    second.release();
    await expectFree();
  });

  it('is of a process that has not written yet who it is, unless that was long ago', async () => {
    await writeFile(lock, '');
    expect(ProcessLock.take(lock)).toMatchObject({ pid: null });
    await utimes(lock, new Date(0), new Date(0));
    await expectFree();
  });
});
