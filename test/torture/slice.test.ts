import { once } from 'node:events';
import t from 'tap';
import { interrupt } from '../bench/child.js';
import { figuresTable, findings } from './report.js';
import { lackingOf, perform, scenarioNames, scenarioOf } from './runner.js';
import { isRight } from './scenario.js';

// What the test runner puts into every Node process makes it slow to start.
delete process.env.NODE_OPTIONS;

/** Of what goes on as long as it is let. */
const SECONDS = 3;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  void once(process, signal).then(() => interrupt());

for (const name of scenarioNames()) {
  const scenario = await scenarioOf(name);
  t.test(scenario.name, { skip: lackingOf(scenario) ?? false, timeout: 200_000 }, async (t) => {
    const outcome = await perform(scenario, { brief: true, seconds: SECONDS, seed: 1 });
    t.comment(figuresTable(new Map([[name, outcome]])));
    t.same(
      findings(outcome).filter((finding) => finding.startsWith('wrong')),
      [],
      `in ${outcome.seconds.toFixed(1)} s`,
    );
    t.ok(isRight(outcome.figures), 'nothing stale, hung or leaked');
  });
}
