import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { expectNoChildren, isRunning, TypeScriptChild, waitFor } from '@millrace/testing';

describe('expectNoChildren', () => {
  it('names the child that is left, unless that may stay', async () => {
    const child = spawn('sleep', ['600']);
    await once(child, 'spawn');
    await expect(expectNoChildren()).rejects.toThrow(`${child.pid} sleep 600`);
    await expectNoChildren([child.pid ?? 0]);
    child.kill('SIGKILL');
    await expectNoChildren();
    expect(await isRunning(child.pid ?? 0)).toBe(false);
  });
});

describe('a TypeScript file in a process of its own', () => {
  const file = new URL('./fixtures/child.ts', import.meta.url);

  it('runs with the libraries of this project, decorators included', async () => {
    const child = new TypeScriptChild(file, { args: ['orders'] });
    expect(await child.line()).toBe('topic orders');
    expect(await child.ended).toEqual({ code: 0, signal: null });
  });

  it('tells what it wrote to its standard error when it ends instead of speaking', async () => {
    const child = new TypeScriptChild(file, { args: ['not a name'] });
    await expect(child.line()).rejects.toThrow(/ended \(1\)[\s\S]*INVALID_NAME/);
  });

  it('is killed', async () => {
    const child = new TypeScriptChild(file, { args: ['orders', 'stay'] });
    await child.line();
    await child.kill('SIGTERM');
    expect(await child.ended).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it('is gone with the process that started it, after kill -9 too', async () => {
    const parent = new TypeScriptChild(file, { args: ['orders', 'start another'] });
    await parent.line();
    const pid = Number(await parent.line());
    expect(await isRunning(pid)).toBe(true);
    await parent.kill('SIGKILL');
    await waitFor(async () => !(await isRunning(pid)), { what: 'the other child to end' });
  });
});
