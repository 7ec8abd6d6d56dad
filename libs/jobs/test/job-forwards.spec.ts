import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { newMessageId } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { JobForwards } from '../src/index.js';
import { SendMail } from './contracts.js';
import { handler, JobsFixture } from './jobs-fixture.js';

let fixture: JobsFixture;
beforeAll(async () => {
  fixture = await JobsFixture.start();
});
afterEach(() => fixture.clear());
afterAll(() => fixture.stop());

interface Written {
  readonly id: string;
  readonly json: string;
}

async function written(to: string, options?: object): Promise<Written> {
  const id = newMessageId();
  const { json } = await new JobForwards((name) => fixture.queue(name)).write(SendMail, { to }, { id, options, where: 'spec' });
  return { id, json };
}

/** Stores jobs over a connection of its own, as another process does. */
async function storedByAnother(jobs: readonly Written[]): Promise<void> {
  const queue = fixture.newQueue('emails');
  await new JobForwards(() => queue).store('emails', jobs.map(({ json }) => json));
  await queue.close();
}

async function ran(): Promise<string[]> {
  const runs: string[] = [];
  await fixture.worker([handler(SendMail, ({ to }) => void runs.push(to))]);
  return runs;
}

describe('a job that a handler forwarded', () => {
  it('runs once when several send it at once', async () => {
    const jobs = await Promise.all(['a', 'b', 'c'].map((to) => written(to)));
    await Promise.all([storedByAnother(jobs), storedByAnother(jobs), storedByAnother(jobs)]);
    const runs = await ran();
    await storedByAnother([await written('last')]);
    await waitFor(() => runs.includes('last'), { what: 'the last job' });
    expect(runs.toSorted()).toEqual(['a', 'b', 'c', 'last']);
  });

  it.each([['done', undefined], ['done after its delay', { delay: '20ms' }]])('runs once when it is sent again after it is %s', async (_, options) => {
    const job = await written('a', options);
    await storedByAnother([job]);
    const runs = await ran();
    await fixture.finished('emails', job.id);
    await storedByAnother([job]);
    await storedByAnother([await written('last', options)]);
    await waitFor(() => runs.includes('last'), { what: 'the last job' });
    expect(runs).toEqual(['a', 'last']);
  });

  it('runs once when it is sent again after its record was removed, as the retention does', async () => {
    const { id, json } = await written('a');
    const { opts, ...rest } = JSON.parse(json) as { opts: object };
    const job = { id, json: JSON.stringify({ ...rest, opts: { ...opts, removeOnComplete: true } }) };
    await storedByAnother([job]);
    const runs = await ran();
    const isGone = async (): Promise<boolean> => runs.length > 0 && !(await fixture.queue('emails').getJob(id));
    await waitFor(isGone, { what: 'its record to be removed' });
    await storedByAnother([job]);
    await storedByAnother([await written('last')]);
    await waitFor(() => runs.includes('last'), { what: 'the last job' });
    expect(runs).toEqual(['a', 'last']);
  });
});
