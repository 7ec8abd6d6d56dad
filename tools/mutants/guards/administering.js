/** The guards of what operators do and see. */

const FOLDER = 'libs/admin/src';
const MUTATION = `${FOLDER}/mutate/mutation.ts`;
const DEEP_SPEC = 'libs/admin/test/deep-payloads.spec.ts';
const MASK = `${FOLDER}/view/mask.ts`;
const GROUPS_SPEC = 'libs/admin/test/groups.spec.ts';
const TOPICS_SPEC = 'libs/admin/test/topics.spec.ts';
const AUDIT_SPEC = 'libs/admin/test/audit.spec.ts';
const VIEW_SPEC = 'libs/admin/test/view.spec.ts';

/** @type {import('../guards.js').Guard[]} */
export const administering = [
  {
    name: 'admin: what cannot be undone needs a confirmation',
    file: MUTATION,
    find: 'if (confirmation !== null && confirm === undefined)',
    replace: 'if (false)',
    spec: GROUPS_SPEC,
    title: 'is refused without a confirmation, with that of another seek, and when the group has moved on',
  },
  {
    name: 'admin: a confirmation is of the state that the dry run saw',
    file: `${FOLDER}/mutate/confirmation.ts`,
    find: 'JSON.stringify([action, target, terms, state, boundary])',
    replace: 'JSON.stringify([action, target, terms, boundary])',
    spec: TOPICS_SPEC,
    title: 'needs the confirmation of the state that it saw',
  },
  {
    name: 'admin: a confirmation is of the options of its dry run',
    file: `${FOLDER}/mutate/confirmation.ts`,
    find: 'JSON.stringify([action, target, terms, state, boundary])',
    replace: 'JSON.stringify([action, target, state, boundary])',
    spec: GROUPS_SPEC,
    title: 'is refused without a confirmation, with that of another seek, and when the group has moved on',
  },
  {
    name: 'admin: no action is done with the confirmation of another one',
    file: MUTATION,
    find: 'if (confirm !== undefined && confirm !== confirmation)',
    replace: 'if (confirmation !== null && confirm !== confirmation)',
    spec: 'libs/admin/test/hostile-input.spec.ts',
    title: 'is not done with a confirmation that is none',
  },
  {
    name: 'admin: a dry run writes nothing',
    file: MUTATION,
    find: 'if (dryRun) return { dryRun: true, impact, confirmation };',
    replace: '',
    spec: AUDIT_SPEC,
    title: 'has each action twice: when it begins, and when it has ended, with who, what, the state before and after',
  },
  {
    name: 'admin: an action that cannot be written down is not done',
    file: `${FOLDER}/audit/audit-log.ts`,
    find: '      throw new MillraceError(',
    replace: '      void new MillraceError(',
    spec: AUDIT_SPEC,
    title: 'refuses an action that it cannot have: nothing is done',
  },
  {
    name: 'admin: done says that a part is left',
    file: MUTATION,
    find: 'const partial = action.isPartial?.(result) ?? false;',
    replace: 'const partial = false;',
    spec: TOPICS_SPEC,
    title: 'keeps what a group has not settled, unless it says so: then the group has lost it, counted',
  },
  {
    name: 'view: a message is hidden',
    file: MASK,
    find: 'if (!this.#payloads) return this.#hiddenMessage(view);',
    replace: '',
    spec: VIEW_SPEC,
    title: 'hides payloads, keys, values of headers and texts of errors in every answer of every operation',
  },
  {
    name: 'view: a dead letter is hidden',
    file: MASK,
    find: '    if (!this.#payloads) return this.#hiddenLetter(view);\n',
    replace: '',
    spec: VIEW_SPEC,
    title: 'hides payloads, keys, values of headers and texts of errors in every answer of every operation',
  },
  {
    name: 'view: the error of a breaker is hidden',
    file: MASK,
    find: 'error: hidden ? null : member.error',
    replace: 'error: member.error',
    spec: VIEW_SPEC,
    title: 'hides payloads, keys, values of headers and texts of errors in every answer of every operation',
  },
  {
    name: 'view: a search in what is hidden is refused',
    file: MASK,
    find: 'if (closed.length > 0) throw forbidden(asked, closed);',
    replace: '',
    spec: VIEW_SPEC,
    title: 'refuses a search by a condition on the payload',
  },
  {
    name: 'view: a search goes by what is shown',
    file: `${FOLDER}/messages/scan.ts`,
    find: 'return isWanted(filter, view) ? view : null;',
    replace: 'return isWanted(filter, viewOf(item)) ? view : null;',
    spec: VIEW_SPEC,
    title: 'lets a search find by what is shown alone',
  },
  {
    name: 'view: a view of a view shows no more',
    file: MASK,
    find: 'payloads: this.#payloads && payloads',
    replace: 'payloads',
    spec: VIEW_SPEC,
    title: 'is never widened by a view of it',
  },
  {
    name: 'view: redacted values are taken out of keys and errors',
    file: `${FOLDER}/view/redaction.ts`,
    find: '    this.#remember(value, 0);\n',
    replace: '',
    spec: VIEW_SPEC,
    title: 'takes fields out of payloads, headers, keys and errors, at any depth, in lists and in JSON texts',
  },
  {
    name: 'view: a payload of too many levels is shown as text',
    file: `${FOLDER}/messages/message-view.ts`,
    find: 'return isTooDeep(payload) ?',
    replace: 'return false ?',
    spec: DEEP_SPEC,
    title: 'is shown with its problem and its text, in any order, by its id and its place, and the others with it',
  },
  {
    name: 'view: a message with a problem is hidden where fields are redacted',
    file: MASK,
    find: 'if (view.problem !== null) return this.#hiddenMessage(view);',
    replace: '',
    spec: DEEP_SPEC,
    title: 'is hidden as a whole where anything may be',
  },
  {
    name: 'admin: a cursor goes on since the moment of its first page alone',
    file: `${FOLDER}/page/cursor.ts`,
    find: 'if (given !== undefined && given.getTime() !== position.since)',
    replace: 'if (false)',
    spec: 'libs/admin/test/trace.spec.ts',
    title: 'refuses the cursor of another trace, of another moment, and one that was made up',
  },
];
