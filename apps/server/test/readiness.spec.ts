import { describe, expect, it } from '@jest/globals';
import { MillraceModule, Publisher, Subscribe, Topic } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { Injectable } from '@nestjs/common';
import { IsInt } from 'class-validator';
import { MillraceServerModule } from '../src/index.js';
import { API, byHeader } from './fixture.js';
import { ServerBed } from './server-bed.js';

@Topic('test.ready')
class Ready {
  @IsInt() amount!: number;
}

@Injectable()
class Failing {
  @Subscribe(Ready, { group: 'failing', retry: { attempts: 1 }, breaker: { messages: 5 } })
  handle({ amount }: Ready): void {
    throw new Error(`no stock for ${amount}`);
  }
}

const bed = new ServerBed('readiness');

async function start(handlers: 'all' | 'none'): Promise<void> {
  const imports = [MillraceModule.forFeature([Ready]), MillraceServerModule.forRoot(byHeader)];
  await bed.start(bed.module({ imports, providers: [Failing] }, { handlers }));
  await bed.app.get(Publisher).publishMany(Ready, Array.from({ length: 10 }, () => ({ payload: { amount: 7 } })));
}

describe('the readiness of an application with the HTTP API', () => {
  it('is 503 while the breaker of one of its subscriptions is open, and says no more', async () => {
    await start('all');
    await waitFor(async () => (await bed.send(`${API}/health/ready`)).status === 503, { what: 'the breaker to open' });
    expect((await bed.send(`${API}/health/ready`)).body).toEqual({ ok: false, state: 'running' });
    expect(await bed.send(`${API}/topics`, { as: 'viewer' })).toMatchObject({ status: 200 });
  });

  it('does not follow handlers that run in other processes', async () => {
    await start('none');
    expect(await bed.send(`${API}/health/ready`)).toMatchObject({ status: 200, body: { ok: true, state: 'running' } });
  });
});
