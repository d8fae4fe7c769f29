// Tests of modules that need no page, in the browser. window.report is what came
// of them: the number that passed and the failures in words.

const tests = [];

export function test(name, run) {
  tests.push({ name, run });
}

export function equal(got, want, what = "") {
  const [g, w] = [JSON.stringify(got), JSON.stringify(want)];
  if (g !== w) throw new Error(`${what} = ${g}, want ${w}`);
}

/** Runs what was said with test. */
export async function run() {
  const report = { passed: 0, failures: [] };
  for (const { name, run } of tests) {
    try {
      await run();
      report.passed++;
    } catch (err) {
      report.failures.push(`${name}: ${err.stack}`);
    }
  }
  window.report = report;
}
