import 'reflect-metadata';
import { getMetadataStorage } from 'class-validator';
import { shapeOf } from '../contract/class-shape.js';
import type { PayloadClass } from '../contract/topic.js';
import { MOMENT_SCHEMA, ruleSchema, type Schema } from './schema.js';

type Rule = ReturnType<ReturnType<typeof getMetadataStorage>['getTargetValidationMetadatas']>[number];

const TYPES: ReadonlyMap<unknown, Schema> = new Map<unknown, Schema>([
  [String, { type: 'string' }], [Number, { type: 'number' }], [Boolean, { type: 'boolean' }], [Array, { type: 'array' }], [Date, MOMENT_SCHEMA],
]);

/** The schemas of classes, each once, for the part `components.schemas` of a document. */
export class SchemaBook {
  readonly schemas: Record<string, Schema> = {};
  readonly #names = new Map<PayloadClass, string>();

  /** A reference to the schema of a class; it tells of the rules for its properties. */
  refTo(type: PayloadClass): Schema {
    return { $ref: `#/components/schemas/${this.#names.get(type) ?? this.#add(type)}` };
  }

  /** The schemas of the properties of a class by their names, and those that must be there. */
  propertiesOf(type: PayloadClass): { readonly properties: Record<string, Schema>; readonly required: string[] } {
    const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', false, false);
    const names = [...new Set(rules.map(({ propertyName }) => propertyName))];
    const rulesOf = (name: string): Rule[] => rules.filter(({ propertyName }) => propertyName === name);
    const properties = names.map((name): [string, Schema] => [name, this.#propertyOf(type, name, rulesOf(name))]);
    const required = names.filter((name) => !rulesOf(name).some((rule) => rule.type === 'conditionalValidation'));
    return { properties: Object.fromEntries(properties), required };
  }

  #add(type: PayloadClass): string {
    const plain = type.name.replace(/\W/g, '_') || 'Payload';
    let name = plain;
    for (let more = 2; Object.hasOwn(this.schemas, name); more += 1) name = `${plain}_${more}`;
    this.#names.set(type, name);
    // It is there before its parts are looked at, which may be of its own class.
    this.schemas[name] = {};
    const { properties, required } = this.propertiesOf(type);
    this.schemas[name] = { type: 'object', properties, ...(required.length > 0 ? { required } : {}) };
    return name;
  }

  #propertyOf(type: PayloadClass, name: string, rules: readonly Rule[]): Schema {
    const nested = rules.some((rule) => rule.type === 'nestedValidation') ? this.#nested(type, name) : {};
    const whole = schemaOf(rules.filter(({ each }) => !each));
    const each = schemaOf(rules.filter((rule) => rule.each));
    const declared = TYPES.get(Reflect.getMetadata('design:type', type.prototype as object, name)) ?? {};
    const isList = [whole, declared].some((part) => part['type'] === 'array') || rules.some((rule) => rule.each);
    if (isList) return { ...whole, type: 'array', items: { ...each, ...nested } };
    return { ...('type' in whole || 'enum' in whole || 'const' in whole || '$ref' in nested ? {} : declared), ...whole, ...nested };
  }

  #nested(type: PayloadClass, name: string): Schema {
    const declared: unknown = shapeOf(type).types?.get(name) ?? Reflect.getMetadata('design:type', type.prototype as object, name);
    const isClass = typeof declared === 'function' && declared !== Object && !TYPES.has(declared);
    return isClass ? this.refTo(declared as PayloadClass) : {};
  }
}

function schemaOf(rules: readonly Rule[]): Schema {
  const parts = rules.filter(({ type }) => type === 'customValidation').map(({ name, constraints }) => ruleSchema(name, constraints ?? []));
  return Object.assign({}, ...parts) as Schema;
}
