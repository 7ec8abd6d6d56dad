/** The result of one server. A suite that could not run counts as one failure; without a report, all is one. */
export function resultOf({ name, version }, report, ms) {
  const common = { name, version, seconds: Math.round(ms / 1000) };
  if (report === null) return { ...common, passed: 0, failed: 1, skipped: 0, titles: ['Jest ended without a report'] };
  const broken = report.testResults.filter(({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0);
  return {
    ...common,
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + report.numTodoTests,
    titles: [...report.testResults.flatMap(failedIn), ...broken.map((suite) => `${suite.name}: could not run: ${suite.message}`)],
  };
}

/** A server on which no test ran is not good. */
export function isGood({ passed, failed }) {
  return passed > 0 && failed === 0;
}

export function table(results) {
  const columns = ['name', 'version', 'passed', 'failed', 'skipped', 'seconds'];
  const rows = results.map((result) => columns.map((column) => result[column]));
  const lines = [['server', ...columns.slice(1)], ['---', '---', '---:', '---:', '---:', '---:'], ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** The failed tests of a server; empty when there is none. */
export function failures({ name, titles }) {
  return titles.length === 0 ? '' : [`Failed on ${name}:`, ...titles.map((title) => `- ${title}`)].join('\n');
}

function failedIn({ name, assertionResults }) {
  const failed = assertionResults.filter(({ status }) => status === 'failed');
  return failed.map(({ fullName, failureMessages }) => `${name}: ${fullName}: ${(failureMessages[0] ?? '').split('\n')[0]}`);
}
