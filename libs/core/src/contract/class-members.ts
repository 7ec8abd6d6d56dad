import type { PayloadClass } from './topic.js';

/** Members that instances of a class have without holding them as data of their own. Inherited ones count. */
export interface ClassMembers {
  /** Methods, and getters without a setter: the class wins over what the data holds under such a name. */
  readonly taken: ReadonlySet<string>;
  /** Getters without a setter: computed anew where the instance is made. */
  readonly computed: ReadonlySet<string>;
  /** Getters whose value may come from where JSON does not look: those with a setter, and those of `#private` fields. */
  readonly stateful: readonly string[];
  /** No members but those that every object has. */
  readonly isBare: boolean;
}

const known = new WeakMap<PayloadClass, ClassMembers>();

export function membersOf(type: PayloadClass): ClassMembers {
  const members = known.get(type);
  if (members) return members;
  const read = readMembers(type);
  known.set(type, read);
  return read;
}

function readMembers(type: PayloadClass): ClassMembers {
  const prototype = type.prototype as object;
  const members = [...new Map(prototypesOf(prototype).reverse().flatMap(entriesOf))];
  const own = members.filter(([name]) => !(name in Object.prototype));
  const namesOf = (fits: (name: string, member: PropertyDescriptor) => boolean): string[] =>
    own.filter((entry) => fits(...entry)).map(([name]) => name);
  return {
    taken: new Set(members.filter(([, member]) => !member.set).map(([name]) => name)),
    computed: new Set(namesOf((_, member) => isGetter(member) && !isSetter(member))),
    stateful: namesOf((name, member) => isGetter(member) && (isSetter(member) || isPrivate(prototype, name))),
    isBare: own.length === 0,
  };
}

function isGetter(member: PropertyDescriptor): boolean {
  return typeof member.get === 'function';
}

function isSetter(member: PropertyDescriptor): boolean {
  return typeof member.set === 'function';
}

/** Whether a getter reads `#private` fields: it fails, with these words, on an object that the constructor has not made. */
function isPrivate(prototype: object, name: string): boolean {
  try {
    Reflect.get(Object.create(prototype) as object, name);
    return false;
  } catch (thrown) {
    return thrown instanceof TypeError && thrown.message.includes('private member');
  }
}

function entriesOf(prototype: object): [string, PropertyDescriptor][] {
  return Object.entries(Object.getOwnPropertyDescriptors(prototype));
}

/** The nearest first. */
function prototypesOf(prototype: object | null): object[] {
  return prototype === null ? [] : [prototype, ...prototypesOf(Object.getPrototypeOf(prototype) as object | null)];
}
