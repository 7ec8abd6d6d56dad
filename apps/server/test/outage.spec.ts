import { describe, expect, it } from '@jest/globals';
import { Job, MillraceModule, Topic } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { API } from './fixture.js';
import { ServerBed } from './server-bed.js';

@Topic('test.outage')
class Outage {
  @IsInt() amount!: number;
}

@Job('test-outage', { queue: 'outage' })
class OutageJob {
  @IsInt() amount!: number;
}

const bed = new ServerBed('outage');

const AWAY = { title: 'Service Unavailable', status: 503, detail: 'Something that this needs is not available at the moment. Send it again later.' };
const NOT_STORED = { title: 'Service Unavailable', status: 503, detail: 'Nothing was stored. Send it again later.' };

describe('while Redis is away', () => {
  it.each<[string, unknown, object]>([
    ['/topics', undefined, { ...AWAY, code: 'REDIS_UNREACHABLE' }],
    ['/topics/test.more/create', {}, { ...AWAY, code: 'REDIS_UNREACHABLE' }],
    ['/topics/test.outage/messages', { amount: 1 }, { ...NOT_STORED, code: 'PUBLISH_REFUSED' }],
    ['/jobs/test-outage', { amount: 1 }, { ...NOT_STORED, code: 'REDIS_UNREACHABLE' }],
  ])('a request for %s is told that nothing was stored only where that is known', async (path, body, problem) => {
    await bed.startAlone(bed.module({ imports: [MillraceModule.forFeature([Outage, OutageJob])] }, { publishDeadline: '100ms' }));
    await bed.redis.kill();
    const answer = await bed.send(`${API}${path}`, { body });
    await bed.redis.restart();
    await waitFor(async () => (await bed.send('/health/ready')).status === 200, { what: 'the server to be ready again' });
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '5' }, body: problem });
  });
});
