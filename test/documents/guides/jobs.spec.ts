import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { getQueueToken } from '@nestjs/bullmq';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { JobQueue, MillraceModule } from '@millrace/nestjs';
import type { Queue } from '@millrace/jobs';
import { waitFor } from '@millrace/testing';
import { Surroundings } from '../surroundings.js';

interface Reports {
  order(month: string): Promise<boolean>;
  orderForTonight(months: string[]): Promise<void>;
  isBusy(): Promise<boolean>;
}

let around: Surroundings;
let app: INestApplicationContext;
let reports: Reports;
const printed: string[] = [];

beforeAll(async () => {
  around = await Surroundings.of('docs/guides/jobs.md');
  Object.assign(process.env, around.env);
  jest.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
  const { MakeReport, Reports } = await around.examples.load<{ MakeReport: Type<object>; Reports: Type<Reports> }>('reports.ts');
  const { ReportMaker } = await around.examples.load<{ ReportMaker: Type }>('report-maker.ts');
  const imports = [MillraceModule.forRoot(), MillraceModule.forFeature([MakeReport])];
  const made = await Test.createTestingModule({ imports, providers: [Reports, ReportMaker] }).compile();
  made.useLogger(false);
  app = await made.init();
  reports = app.get(Reports);
}, 120_000);

afterAll(async () => {
  await app.close();
  await around.stop();
});

/** The queue of BullMQ. */
const queue = () => app.get<Queue>(getQueueToken('reports'), { strict: false });
const counts = () => app.get(JobQueue).counts('reports');

describe('the reports of the guide', () => {
  it('are made once, however often they are ordered', async () => {
    expect(await Promise.all([reports.order('2026-10'), reports.order('2026-10')])).toEqual(expect.arrayContaining([true, false]));
    await waitFor(async () => (await counts()).completed === 1, { what: 'the report to be made' });
    expect(printed).toEqual(['report of 2026-10']);
    expect(await reports.isBusy()).toBe(false);
    const [job] = await queue().getCompleted();
    expect(job!.progress).toBe(50);
    expect((await queue().getJobLogs(job!.id!)).logs).toEqual(['attempt 1']);
  });

  it('that nobody can make fail at once', async () => {
    await reports.order('soon');
    await waitFor(async () => (await counts()).failed === 1, { what: 'the job to fail' });
    expect(await queue().getFailed()).toMatchObject([{ attemptsMade: 1, failedReason: 'soon is no month' }]);
  });

  it('wait when they are for tonight', async () => {
    await reports.orderForTonight(['2026-08', '2026-09']);
    expect(await counts()).toMatchObject({ delayed: 2, completed: 1 });
  });

  it('leave nothing of the examples that was not run', () => {
    expect(around.examples.notRun()).toEqual([]);
  });
});
