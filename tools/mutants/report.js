/** Reads Jest's `--json` report about the test of a guard. Only a test that failed by name catches: a crash shows nothing. */

/** @returns {string | null} the title of the test that failed, null when none did */
export function caughtBy(report, guard) {
  return testsOf(report, guard).find(({ status }) => status === 'failed')?.fullName ?? null;
}

/**
 * @param report null when the tests did not end in time
 * @returns {string | null} why the test of a guard cannot catch anything: it is not there, or fails without a mutation
 */
export function unfit(report, guard) {
  if (!report) return `'${guard.title}' in ${guard.spec} does not end in time without any mutation.`;
  const tests = testsOf(report, guard);
  const failed = tests.find(({ status }) => status === 'failed');
  if (failed) return `'${failed.fullName}' in ${guard.spec} fails without any mutation.`;
  return tests.some(({ status }) => status === 'passed') ? null : `No test called '${guard.title}' passed in ${guard.spec}.`;
}

/** For Jest's `-t`: the title as it is written. */
export function patternOf(title) {
  return title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function testsOf(report, { spec, title }) {
  const suites = report.testResults.filter(({ name }) => name.endsWith(`/${spec}`));
  return suites.flatMap(({ assertionResults }) => assertionResults).filter(({ fullName }) => fullName.includes(title));
}
