import { describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { getMetadataStorage, validateSync } from 'class-validator';
import '@millrace/nestjs';
import '@millrace/streams';
import '@millrace/jobs';
import '@millrace/outbox';

type OptionsClass = new () => object;

const STRANGE = [
  1.5, '10', '', 'no', -1, 1e12, Number.NaN, Infinity, 7n, true, [], ['x', 5], {}, { a: 1 }, Symbol('s'), (): void => undefined,
  new Date(Number.NaN),
];

/** Every option of every class of options that the libraries have: the class and the name of the property. */
function everyOption(): [string, OptionsClass, string][] {
  const storage = getMetadataStorage() as unknown as { validationMetadatas: Map<OptionsClass, { propertyName: string }[]> };
  return [...storage.validationMetadatas].flatMap(([type, rules]) =>
    [...new Set(rules.map(({ propertyName }) => propertyName))].map((name): [string, OptionsClass, string] => [`${type.name}.${name}`, type, name]),
  );
}

/** The problem of the property with this value. */
function saidOf(type: OptionsClass, name: string, value: unknown): string[] {
  const options = new type();
  Reflect.set(options, name, value);
  const found = validateSync(options, { forbidUnknownValues: false }).find(({ property }) => property === name);
  return Object.values(found?.constraints ?? {});
}

describe('a bad value of an option', () => {
  it('is looked for in the options of all libraries', () => {
    const names = everyOption().map(([name]) => name);
    const some = ['MessageHandlerOptions.concurrency', 'TopicOptions.partitions', 'RedriveOptions.rate', 'JobOptions.attempts', 'InboxOptions.keepMs'];
    expect(names).toEqual(expect.arrayContaining(some));
  });

  it.each(everyOption())('is told once: %s', (_, type, name) => {
    for (const value of STRANGE) {
      const said = saidOf(type, name, value);
      if (said.length > 1) throw new Error(`${inspect(value)}: ${said.join('; ')}`);
    }
  });
});
