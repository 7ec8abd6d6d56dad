import { describe, expect, it } from '@jest/globals';
import { resolve } from 'node:path';
import ts from 'typescript';

/** Exports of an application that are made with ours: the compiler writes their types down, and must be able to name them. */
const APPLICATION = `
import type { DeadLetters, DeadLetterContext, Groups, Health, JobQueue, LocalSubscriptions, Publisher } from '@millrace/nestjs';
import type { MillraceHealthIndicator } from '@millrace/nestjs';
import type { Contracts } from '@millrace/nestjs';
import { custom, defineTopic, exponential, fixed, fsynced, replicated } from '@millrace/nestjs';
export const durability = [replicated(1), fsynced()];
export const backoffs = [fixed('1s'), exponential('1s'), custom(() => '1s')];
export const states = (local: LocalSubscriptions) => local.states();
export const workers = async (health: Health) => (await health.ready()).workers;
export const indicate = (health: MillraceHealthIndicator) => health.isHealthy();
export const state = (health: Health) => health.live().state;
export const errorOf = (context: DeadLetterContext) => context.error;
export const letters = (deadLetters: DeadLetters) => deadLetters.list;
export const seek = (groups: Groups) => groups.seek;
export const publish = (publisher: Publisher) => publisher.publish;
export const prepare = (publisher: Publisher) => publisher.prepare;
export const publishPrepared = (publisher: Publisher) => publisher.publishPrepared;
export const audit = defineTopic<{ actor: string }>('audit', { key: (entry) => entry.actor });
export const mirror = defineTopic('mirror', { payload: class Order { id = 1 } });
export const contract = (contracts: Contracts) => contracts.topic('audit');
export const enqueue = (jobs: JobQueue) => jobs.enqueue;
`;

/** The application's declarations. */
function declarationsOf(code: string): string {
  const name = resolve('dist/public-types.ts');
  const { config } = ts.readConfigFile('tsconfig.json', (path) => ts.sys.readFile(path)) as { config: object };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, resolve('.'));
  const wanted = { ...options, noEmit: false, declaration: true, emitDeclarationOnly: true };
  const host = ts.createCompilerHost(wanted);
  const fileExists = host.fileExists.bind(host);
  const getSourceFile = host.getSourceFile.bind(host);
  host.fileExists = (path) => path === name || fileExists(path);
  host.getSourceFile = (path, target) => (path === name ? ts.createSourceFile(path, code, target) : getSourceFile(path, target));
  let text = '';
  const program = ts.createProgram([name], wanted, host);
  program.emit(program.getSourceFile(name), (_, written) => (text += written));
  return text;
}

describe('@millrace/nestjs', () => {
  it('exports the types of all that it gives', () => {
    const declarations = declarationsOf(APPLICATION);
    expect(declarations).toContain('states: (local: LocalSubscriptions) =>');
    const named = [...declarations.matchAll(/import\("([^"]+)"\)\.(\w+)/g)].filter(([, from]) => from !== '@millrace/nestjs');
    expect(named.map(([, from, type]) => `${type} of ${from}`)).toEqual([]);
  });
});
