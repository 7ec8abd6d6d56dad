import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { LoggerService, Type } from '@nestjs/common';
import { IsString } from 'class-validator';
import { type FilterOptions, MessageType, type PayloadClass, Subscribe, SubscribeBroadcast, Topic } from '@millrace/nestjs';
import { Bench, failureOf, OrderPlaced } from './fixture.js';

@Topic('test.moves')
class Move {
  @IsString() id!: string;
}

@MessageType('begun')
class Begun extends Move {}

@MessageType('ended')
class Ended extends Move {}

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

function filtered(topic: PayloadClass, filter: FilterOptions): Type {
  class Handler {
    @Subscribe(topic, { group: 'g', filter })
    handle(): void {
      throw new Error('not to be called');
    }
  }
  return Handler;
}

describe('a filter by type', () => {
  it.each<[string, PayloadClass, FilterOptions, string, string]>([
    ['a misspelt type', Move, { type: ['begun', 'endde'] }, 'UNKNOWN_MESSAGE_TYPE', "type 'endde' is not known: did you mean 'ended'?"],
    ['a type that is nowhere', Begun, { type: 'x' }, 'UNKNOWN_MESSAGE_TYPE', "type 'x' is not known; known are begun, ended."],
    ['another type than the handler is for', Begun, { type: 'ended' }, 'CONTRACT_CONFLICT', "asks for type 'ended', but the handler is for 'begun' alone"],
    ['a header that no message can have', Move, { headers: { 're gion': 'eu' } }, 'INVALID_OPTIONS', 'for each header, whose name is'],
  ])('is refused at boot when it asks for %s, since it would let nothing through', async (_, topic, filter, code, problem) => {
    const error = await failureOf(bench.app({ providers: [filtered(topic, filter)] }));
    expect(error.code).toBe(code);
    expect(error.message).toContain(problem);
    expect(error.message).toContain('Handler.handle()');
  });

  it('is refused for broadcasts too', async () => {
    class Handler {
      @SubscribeBroadcast(Move, { filter: { type: 'Begun.' } })
      handle(): void {
        throw new Error('not to be called');
      }
    }
    expect((await failureOf(bench.app({ providers: [Handler] }))).message).toContain("type 'Begun.' is not known: did you mean 'begun'?");
  });

  it('is taken when a class of the topic has it', async () => {
    await bench.app({ providers: [filtered(Move, { type: ['begun', 'ended'] })] });
    await bench.app({ providers: [filtered(Ended, { type: ['begun', 'ended'] })] });
  });

  it('is taken and told in the log when the topic has no types here: others may publish them', async () => {
    const warnings: string[] = [];
    const warn = (message: string): void => void warnings.push(message);
    const logger: LoggerService = { log: () => undefined, error: () => undefined, warn };
    const provider = filtered(OrderPlaced, { type: 'urgent' });
    const compiled = await bench.builder({ providers: [provider] }).compile();
    compiled.useLogger(logger);
    try {
      await compiled.init();
    } finally {
      await compiled.close();
    }
    expect(warnings.filter((line) => line.includes("lets only messages of type 'urgent' through"))).toHaveLength(1);
  });
});
