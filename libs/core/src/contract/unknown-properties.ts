export const UNKNOWN_PROPERTIES = ['refuse', 'strip', 'keep'] as const;

/**
 * The rule for properties that the class of a payload does not declare. A property is declared by any decorator of
 * class-validator (`@Allow()` takes anything) or class-transformer, by an initialiser, or by an accessor; inherited ones count,
 * and so does it inside what `@Type` names. Inside a property without `@Type` anything may be, and a class without a single
 * rule of class-validator is not judged: all of its properties are kept.
 * - `refuse`: a publish or an enqueue with such properties is an error that names them;
 * - `strip`: they are left out of what is stored;
 * - `keep`: they are stored and delivered.
 *
 * A message or job that arrives is never refused for them, since a newer process may have sent it: with `keep` the handler gets
 * them, otherwise it gets what its class declares, while what is stored stays whole.
 */
export type UnknownProperties = (typeof UNKNOWN_PROPERTIES)[number];

/** A contract that may say it. */
interface Contract {
  readonly unknownProperties?: UnknownProperties | undefined;
}

/** The rule for a contract in a process: its own word, else that of the process, else `refuse`. */
export function unknownPropertiesOf(contract: Contract, ofProcess: UnknownProperties | undefined): UnknownProperties {
  return contract.unknownProperties ?? ofProcess ?? 'refuse';
}
