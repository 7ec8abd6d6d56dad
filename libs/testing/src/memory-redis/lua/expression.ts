/** An expression as JavaScript. */
export interface Expression {
  readonly js: string;
  /** `many` may be a list of several values, `boolean` is true or false and nothing else. */
  readonly kind: 'value' | 'boolean' | 'many';
  /** Whether it calls anything: then a line that was noted before is another one afterwards. */
  readonly hasCall: boolean;
  readonly target?: Target;
}

/** A place that may be assigned to. */
export type Target =
  | { readonly kind: 'name'; readonly js: string }
  | { readonly kind: 'item'; readonly table: Expression; readonly key: Expression };

export function valueOf({ js, kind }: Expression): string {
  return kind === 'many' ? `first(${js})` : js;
}

export function conditionOf(expression: Expression): string {
  return expression.kind === 'boolean' ? expression.js : `isTrue(${valueOf(expression)})`;
}

/** Elements of a list or of a call: the last expression gives all of its values. */
export function elementsOf(expressions: readonly Expression[]): string {
  const last = expressions.length - 1;
  return expressions.map((each, index) => (index === last && each.kind === 'many' ? `...list(${each.js})` : valueOf(each))).join(', ');
}

export function plain(js: string, ...parts: readonly Expression[]): Expression {
  return { js, kind: 'value', hasCall: parts.some(({ hasCall }) => hasCall) };
}

export function boolean(js: string, ...parts: readonly Expression[]): Expression {
  return { ...plain(js, ...parts), kind: 'boolean' };
}
