import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { defineTopic, type EventMap, fixed, IndefinitePublishError, listen, MillraceError, type SqlTransaction } from '@millrace/core';
import { Outbox, OutboxRelay, type RelayOptions, type SqlSource } from '@millrace/outbox';
import { type TestSqlServer, waitFor } from '@millrace/testing';
import { newSignal } from '../signal.js';
import { RecordedPorts } from './recorded-ports.js';
import { type OpenSource, sourceKinds } from './sources.js';

const Steps = defineTopic<number>('relay.steps');
const Others = defineTopic<number>('relay.others');
const Unknown = defineTopic<number>('relay.unknown');

const refusal = (code: 'BACK_PRESSURE' | 'TOPIC_MISMATCH' | 'INVALID_PAYLOAD', retryable = false) =>
  new MillraceError(code, `refused with ${code}`, { retryable });

describe.each(sourceKinds)('the relay of an outbox in $kind', ({ start, connect }) => {
  let server: TestSqlServer;
  let db: OpenSource;
  let outbox: Outbox;
  let ports: RecordedPorts;
  const relays: OutboxRelay<SqlTransaction>[] = [];
  const stops: (() => void)[] = [];

  const relay = (options: RelayOptions = {}, own = ports, source = db.source) => {
    const made = new OutboxRelay({ source, ports: own }, { poll: '20ms', backoff: fixed('1ms'), attempts: 3, ...options });
    relays.push(made);
    made.start();
    return made;
  };
  const publish = (payload: number, key?: string, topic = Steps) =>
    db.source.transaction((tx) => outbox.publish(tx, topic, payload, key === undefined ? {} : { key }));
  const rows = () => db.query('SELECT id, state, attempts, last_error FROM millrace_outbox ORDER BY position');
  const events = <Name extends 'outbox-failed' | 'outbox-held' | 'outbox-published'>(name: Name) => {
    const heard: EventMap[Name][] = [];
    stops.push(listen(name, (event) => heard.push(event)));
    return heard;
  };
  const empty = () => waitFor(async () => (await rows()).length === 0, { what: 'the outbox to be empty' });

  beforeAll(async () => {
    server = await start();
    db = await connect(server.url);
    outbox = new Outbox({ source: db.source });
    await outbox.prepare();
  });
  beforeEach(async () => {
    await db.query('DELETE FROM millrace_outbox');
    ports = new RecordedPorts(Steps, Others);
  });
  afterEach(async () => {
    for (const stop of stops.splice(0)) stop();
    await Promise.all(relays.splice(0).map((running) => running.stop()));
  });
  afterAll(async () => {
    await db?.close();
    await server?.stop();
  });

  it('publishes rows under their ids, unique by them, and removes them', async () => {
    const published = events('outbox-published');
    const { id } = await publish(1);
    relay();
    await empty();
    expect(ports.published).toMatchObject([
      { id, topic: 'relay.steps', text: '1', sent: { message: { idempotencyKey: id }, sendOptions: { idempotencyScope: 'partition' } } },
    ]);
    // The row is gone a moment before its event.
    await waitFor(() => published.length > 0, { what: 'the event' });
    expect(published).toEqual([{ count: 1, oldestMs: expect.any(Number) }]);
  });

  it('leaves the idempotency key of the publisher alone, which holds for the whole topic', async () => {
    await db.source.transaction((tx) => outbox.publish(tx, Steps, 1, { idempotencyKey: 'own' }));
    relay();
    await empty();
    const [{ sent }] = ports.published as [RecordedPorts['published'][0]];
    expect(sent.message.idempotencyKey).toBe('own');
    expect(sent.sendOptions?.idempotencyScope).toBeUndefined();
  });

  it('counts a delay from when the row was written', async () => {
    await db.source.transaction((tx) => outbox.publishAll(tx, Steps, [{ payload: 1, delay: '1h' }, { payload: 2, delay: '1ms' }]));
    await waitFor(async () => (await outbox.counts()).oldestMs! > 50, { what: 'the rows to be old' });
    relay();
    await empty();
    const dueOf = (text: string) => ports.published.find((message) => message.text === text)!.sent.sendOptions!.due;
    expect(dueOf('1')).toEqual({ inMs: expect.any(Number) });
    expect((dueOf('1') as { inMs: number }).inMs).toBeLessThan(3_600_000 - 50);
    expect(dueOf('2')).toBeUndefined();
  });

  it('publishes the rows of a key in their order, and does not pass over one whose transaction is committed late', async () => {
    const [late, lateInside] = [newSignal(), newSignal()];
    stops.push(() => late.give());
    const lateWork = db.source.transaction(async (tx) => {
      await outbox.publish(tx, Steps, 100, { key: 'late' });
      lateInside.give();
      await late.given;
    });
    await lateInside.given;
    for (let step = 0; step < 30; step += 1) await publish(step, `key${step % 3}`);
    relay({ pageRows: 5 });
    await waitFor(() => ports.published.length === 30, { what: 'the other rows to be published' });
    late.give();
    await lateWork;
    await waitFor(() => ports.published.length === 31, { what: 'the late row to be published' });
    for (const key of [0, 1, 2]) expect(ports.payloads(`key${key}`)).toEqual(Array.from({ length: 10 }, (_, at) => at * 3 + key));
    expect(ports.payloads('late')).toEqual([100]);
  });

  it('lets a key wait for its row that fails, and other keys go on', async () => {
    const failed = events('outbox-failed');
    const mended = newSignal();
    let isMended = false;
    void mended.given.then(() => (isMended = true));
    ports.refuse = ({ key, text }) => (key === 'bad' && text === '0' && !isMended ? refusal('TOPIC_MISMATCH') : null);
    for (let step = 0; step < 5; step += 1) for (const key of ['bad', 'good']) await publish(step, key);
    relay({ attempts: 1_000, pageRows: 3 });
    await waitFor(() => ports.payloads('good').length === 5 && failed.length > 3, { what: 'the good key to be published' });
    await publish(5, 'bad');
    await publish(5, 'good');
    await waitFor(() => ports.payloads('good').length === 6, { what: 'another row of the good key' });
    expect(ports.payloads('bad')).toEqual([]);
    expect(await outbox.counts()).toMatchObject({ dead: 0 });
    mended.give();
    await empty();
    expect(ports.payloads('bad')).toEqual([0, 1, 2, 3, 4, 5]);
    expect(failed[0]).toMatchObject({ topic: 'relay.steps', attempt: 1, outcome: 'retry', delayMs: 1, error: { code: 'TOPIC_MISMATCH' } });
  });

  it('lets a key wait while its failed row is not due yet, with the rows that come meanwhile', async () => {
    let isMended = false;
    ports.refuse = ({ text }) => (text === '0' && !isMended ? refusal('TOPIC_MISMATCH') : null);
    await publish(0, 'bad');
    relay({ backoff: fixed('1h') });
    const waiting = (count: number) =>
      waitFor(async () => (await outbox.counts()).waiting === count || ports.published.length > 0, { what: `${count} rows to wait` });
    await waiting(1);
    await publish(1, 'bad');
    await publish(2, 'bad');
    await waiting(3);
    expect(ports.published).toEqual([]);
    isMended = true;
    await db.query('UPDATE millrace_outbox SET next_at = created_at WHERE next_at IS NOT NULL');
    await empty();
    expect(ports.payloads('bad')).toEqual([0, 1, 2]);
  });

  it('makes a row dead that is refused or has had its attempts, says so, and lets its key go on', async () => {
    const failed = events('outbox-failed');
    ports.refuse = ({ text }) => (text === '0' ? refusal('INVALID_PAYLOAD') : text === '1' ? refusal('TOPIC_MISMATCH') : null);
    const [first, second] = [await publish(0, 'k'), await publish(1, 'k')];
    await publish(2, 'k');
    const { stats } = relay();
    await waitFor(() => ports.published.length === 1, { what: 'the third row to be published' });
    await waitFor(async () => (await outbox.counts()).dead === 2, { what: 'two dead rows' });
    expect(ports.payloads('k')).toEqual([2]);
    const dead = await outbox.dead({ limit: 10 });
    expect(dead).toMatchObject([
      { id: first.id, kind: 'message', target: 'relay.steps', key: 'k', payload: 0, attempts: 1, error: 'INVALID_PAYLOAD: refused with INVALID_PAYLOAD' },
      { id: second.id, payload: 1, attempts: 3, createdAt: expect.any(Date) },
    ]);
    expect(Math.abs(dead[0]!.createdAt.getTime() - Date.now())).toBeLessThan(60_000);
    expect(await outbox.dead({ limit: 1, after: dead[0]!.position })).toMatchObject([{ id: second.id }]);
    expect(failed.map(({ outcome }) => outcome)).toEqual(['dead', 'retry', 'retry', 'dead']);
    expect(stats).toEqual({ published: 0, retried: 0, dead: 0 });
    expect(relays[0]!.stats).toEqual({ published: 1, retried: 2, dead: 2 });
  });

  it('publishes dead rows when they are redriven', async () => {
    let isMended = false;
    ports.refuse = () => (isMended ? null : refusal('INVALID_PAYLOAD'));
    const { id } = await publish(0, 'k');
    relay();
    await waitFor(async () => (await outbox.counts()).dead === 1, { what: 'the dead row' });
    isMended = true;
    expect(await outbox.redrive([id, '01890000-0000-7000-8000-000000000000'])).toBe(1);
    await empty();
    expect(ports.published).toMatchObject([{ id }]);
    expect(await outbox.redrive([id])).toBe(0);
    await expect(outbox.redrive(['1; DROP TABLE millrace_outbox'])).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(outbox.dead({ limit: 0 })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await expect(outbox.dead({ after: '1 OR 1=1' })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('makes a row of a topic that nobody knows, and one that is no JSON any more, dead in the end', async () => {
    await publish(0, 'k', Unknown);
    const { id } = await publish(1, 'k');
    await db.query(`UPDATE millrace_outbox SET payload = '{' WHERE id = $1`, [id]);
    relay();
    await waitFor(async () => (await outbox.counts()).dead === 2, { what: 'two dead rows' });
    expect((await outbox.dead()).map(({ error, attempts, payload }) => ({ code: error.split(':')[0], attempts, payload }))).toEqual([
      { code: 'UNKNOWN_TOPIC', attempts: 3, payload: 0 },
      { code: 'MALFORMED_ENVELOPE', attempts: 1, payload: '{' },
    ]);
  });

  it('counts no attempt while a topic takes nothing, and lets other topics go on', async () => {
    const held = events('outbox-held');
    let isAway = true;
    ports.refuse = ({ topic }) => (isAway && topic === 'relay.steps' ? new IndefinitePublishError('Redis is away') : null);
    for (let step = 0; step < 3; step += 1) await publish(step, 'k');
    const running = relay({ attempts: 1 });
    await waitFor(() => running.problem() !== null, { what: 'the relay to report a problem' });
    await publish(9, 'k', Others);
    await waitFor(() => ports.published.some(({ topic }) => topic === 'relay.others'), { what: 'the other topic to go on' });
    await waitFor(async () => (await rows()).length === 3, { what: 'the row of the other topic to be removed' });
    expect(await rows()).toMatchObject(Array.from({ length: 3 }, () => ({ state: 'pending', attempts: 0, last_error: null })));
    expect(held[0]).toMatchObject({ topic: 'relay.steps', failures: 1, error: { code: 'PUBLISH_INDEFINITE' } });
    isAway = false;
    await empty();
    expect(ports.payloads('k')).toEqual([9, 0, 1, 2]);
    await waitFor(() => running.problem() === null, { what: 'the relay to be well' });
  });

  it('keeps published rows for a while, then removes them', async () => {
    await publish(0);
    const keeping = relay({ keep: '1h' });
    await waitFor(async () => (await rows())[0]!['state'] === 'published', { what: 'the row to be published' });
    await keeping.stop();
    await db.query(`UPDATE millrace_outbox SET next_at = created_at`);
    relay({ keep: '1h' });
    await empty();
    expect(ports.published).toHaveLength(1);
  });

  it('publishes again what was published and not removed, under the same id', async () => {
    await publish(0);
    // Its commit fails after the publish: what a relay does that is killed between the two.
    const undone: SqlSource<SqlTransaction> = {
      dialect: db.source.dialect,
      within: (transaction) => db.source.within(transaction),
      transaction: (work) =>
        db.source.transaction(async (tx) => {
          const { calls } = ports;
          const value = await work(tx);
          if (ports.calls > calls) throw new Error('the commit is lost');
          return value;
        }),
    };
    const first = relay({}, ports, undone);
    await waitFor(() => ports.calls >= 2, { what: 'a second publish of the row' });
    await first.stop();
    expect(await rows()).toHaveLength(1);
    relay();
    await empty();
    expect(ports.published).toHaveLength(1);
  });

  it('shares lanes with others, and never works on one that another holds', async () => {
    const gate = newSignal();
    stops.push(() => gate.give());
    const slow = new RecordedPorts(Steps, Others);
    slow.gate = () => gate.given;
    for (let step = 0; step < 3; step += 1) await publish(step, 'k');
    relay({}, slow);
    await waitFor(async () => (await free()).length < 64, { what: 'a lane to be taken' });
    await publish(3, 'k');
    const many = Array.from({ length: 20 }, (_, at) => ({ payload: at, key: `other${at}` }));
    await db.source.transaction((tx) => outbox.publishAll(tx, Others, many));
    relay();
    await waitFor(() => ports.published.length >= 15, { what: 'the second relay to publish rows of the free lanes' });
    expect(ports.payloads('k')).toEqual([]);
    gate.give();
    await empty();
    expect([...slow.payloads('k'), ...ports.payloads('k')]).toEqual([0, 1, 2, 3]);
  });

  it('ends when it is stopped, with the page that it has begun', async () => {
    const [gate, begun] = [newSignal(), newSignal()];
    stops.push(() => gate.give());
    ports.gate = () => (begun.give(), gate.given);
    for (let step = 0; step < 3; step += 1) await publish(step, 'k');
    const running = relay();
    await begun.given;
    const stopped = running.stop();
    gate.give();
    await stopped;
    expect(ports.payloads('k')).toEqual([0]);
    expect(await rows()).toHaveLength(2);
    await publish(3, 'k');
    running.wake();
    expect(await rows()).toHaveLength(3);
  });

  it('enqueues jobs with their age', async () => {
    const jobs = { draft: () => ({ id: '01890000-0000-7000-8000-000000000000', name: 'mail', queue: 'mails', payloadJson: '{"a":1}', optionsJson: '{"delay":5}' }) };
    const own = new Outbox({ source: db.source, jobs: { ...ports.jobs, ...jobs } });
    await db.source.transaction((tx) => own.enqueue(tx, class Mail {}, {}));
    relay();
    await empty();
    expect(ports.enqueued).toEqual([{ draft: jobs.draft(), ageMs: expect.any(Number) }]);
  });

  /** Lanes that nobody holds. */
  async function free(): Promise<unknown[]> {
    return db.source.transaction(async (tx) =>
      (await db.source.within(tx).query('SELECT lane FROM millrace_outbox_lane FOR UPDATE SKIP LOCKED')).rows);
  }
});
