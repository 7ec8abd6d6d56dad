/** A function of Lua: several results come as a list, one as it is. */
export type LuaFunction = (...args: LuaValue[]) => LuaResult;
export type LuaValue = undefined | boolean | number | string | LuaTable | LuaFunction | typeof NULL;
export type LuaResult = LuaValue | LuaValue[];

/** The null of cjson, a value of its own. */
export const NULL = Symbol('null');

/** A table: values with keys from 1 on in a list, all others in a map. */
export class LuaTable {
  readonly #list: LuaValue[];
  #others: Map<LuaValue, LuaValue> | null = null;

  constructor(list: LuaValue[] = []) {
    while (list.length > 0 && list[list.length - 1] === undefined) list.pop();
    this.#list = list;
  }

  get length(): number {
    return this.#list.length;
  }

  get(key: LuaValue): LuaValue {
    if (typeof key === 'number' && key > 0 && key <= this.#list.length) {
      const value = this.#list[key - 1];
      if (value !== undefined || this.#others === null) return value;
    }
    return this.#others?.get(key);
  }

  set(key: LuaValue, value: LuaValue): void {
    if (typeof key === 'number' && key > 0 && key <= this.#list.length + 1 && Number.isInteger(key)) this.#setInList(key, value);
    else if (value === undefined) this.#others?.delete(key);
    else (this.#others ??= new Map()).set(key, value);
  }

  /** Puts an item before the one at an index, or removes that one. */
  splice(index: number, ...replaced: LuaValue[]): LuaValue {
    if (replaced.length > 0) {
      this.#list.splice(index - 1, 0, ...replaced);
      return undefined;
    }
    const [removed] = this.#list.splice(index - 1, 1);
    this.#trim();
    return removed;
  }

  sort(compare: (one: LuaValue, other: LuaValue) => number): void {
    this.#list.sort(compare);
  }

  /** Values from 1 on, up to the first that is not there. */
  values(): LuaValue[] {
    const end = this.#list.indexOf(undefined);
    return end < 0 ? [...this.#list] : this.#list.slice(0, end);
  }

  /** All keys with their values, as they are now: a loop may set and remove them. */
  pairs(): [LuaValue, LuaValue][] {
    const listed = this.#list.map((value, index): [LuaValue, LuaValue] => [index + 1, value]);
    return [...listed.filter(([, value]) => value !== undefined), ...(this.#others ?? [])];
  }

  #setInList(key: number, value: LuaValue): void {
    if (key <= this.#list.length) {
      this.#list[key - 1] = value;
      if (value === undefined) this.#trim();
      return;
    }
    if (value === undefined) {
      this.#others?.delete(key);
      return;
    }
    this.#list.push(value);
    if (this.#others) this.#gather(this.#others);
  }

  /** Takes what follows the list out of the map. */
  #gather(others: Map<LuaValue, LuaValue>): void {
    for (let next = others.get(this.#list.length + 1); next !== undefined; next = others.get(this.#list.length + 1)) {
      others.delete(this.#list.length + 1);
      this.#list.push(next);
    }
  }

  #trim(): void {
    while (this.#list.length > 0 && this.#list[this.#list.length - 1] === undefined) this.#list.pop();
  }
}
