const DIRECTIVE = /^\s*eslint-disable(?:-next-line|-line)?\b(?<rest>.*)$/s;
const WITH_RULE_AND_REASON = /^\s+[^\s-].*?\s--\s+\S.{8,}/s;

/** A rule may be switched off for one named reason, written beside it: `eslint-disable-next-line rule -- the reason`. */
export const reasonedDisable = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { reason: 'Name the rule and say why: eslint-disable-next-line the-rule -- the reason.' },
  },
  create(context) {
    return {
      Program() {
        for (const comment of context.sourceCode.getAllComments()) {
          const rest = DIRECTIVE.exec(comment.value)?.groups?.rest;
          if (rest === undefined || WITH_RULE_AND_REASON.test(rest)) continue;
          context.report({ loc: before(comment), messageId: 'reason' });
        }
      },
    };
  },
};

/** A comment that switches off everything would hide the complaint about itself, were it not made in front of it. */
function before({ loc: { start } }) {
  return { line: start.line, column: start.column - 1 };
}
