const FIGURES = /^\w+=\S+( \w+=\S+)*$/;
const INVARIANTS = /^N=/;

/** Repeats at the very end the lines of figures, `lost=0 stuck=0`, that tests have printed; those of the invariants come last. */
export default class FiguresReporter {
  #lines = [];

  onTestResult(_test, { console: printed }) {
    const lines = (printed ?? []).flatMap(({ message }) => message.split('\n'));
    this.#lines.push(...lines.filter((line) => FIGURES.test(line)));
  }

  /** Behind the summary, which comes after all reporters. */
  onRunComplete() {
    const lines = this.#lines.toSorted((one, other) => Number(INVARIANTS.test(one)) - Number(INVARIANTS.test(other)));
    process.once('exit', () => lines.forEach((line) => process.stderr.write(`${line}\n`)));
  }
}
