/**
 * Prints the counts of a run of Jest, `N passed, N failed`, from the file that its `--json --outputFile` wrote. A spec file
 * that could not be run counts as one failure. Exit code 1 when no test ran.
 */
import { existsSync, readFileSync } from 'node:fs';

const [path] = process.argv.slice(2);

if (!path || !existsSync(path)) {
  console.error('No test ran: what comes before the tests has failed, see above.');
  process.exit(1);
}

const report = JSON.parse(readFileSync(path, 'utf8'));
const passed = report.numPassedTests;
const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
const skipped = report.numPendingTests + report.numTodoTests;

console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
if (passed + failed === 0) process.exitCode = 1;
