import t from 'tap';
import { program } from '../../src/cli/program.js';
import { mdevfs } from '../mount/command.js';

const commands = program.commands
  .map((command) => command.name())
  .filter((name) => name !== 'serve-run' && name !== 'complete');

t.test('every subcommand has an example of itself in its help', async (t) => {
  t.match(mdevfs('--help'), { status: 0, stdout: /\nExample:\n {2}mdevfs / });
  for (const name of commands)
    t.match(mdevfs(name, '--help'), {
      status: 0,
      stdout: new RegExp(`\nExample:\n(  .*\n)*  .*mdevfs ${name}`),
    });
});

t.test('what is mistyped gets the nearest name, and exit code 2', async (t) => {
  const mistyped: [string[], string][] = [
    [['fixturs'], '(Did you mean fixtures?)'],
    [['mount', '--transprot', 'fuse', '/nowhere'], '(Did you mean --transport?)'],
    [['mount', '--transport', 'fues', '/nowhere'], 'got "fues" (did you mean "fuse"?)'],
    [['mount', '-f', 'sampels', '/nowhere'], 'there is none of that name (did you mean "samples"?)'],
    [['completion', 'bsh'], '<shell>: expected bash, zsh or fish, got "bsh" (did you mean "bash"?)'],
  ];
  for (const [args, said] of mistyped) t.match(mdevfs(...args), { status: 2, stderr: said }, args.join(' '));
});

t.test('the fixtures of the package are listed with what they are', async (t) => {
  const { status, stdout } = mdevfs('fixtures');
  t.equal(status, 0);
  t.match(stdout, /^samples +The three sample drivers of the kernel/m);
  const all = JSON.parse(mdevfs('fixtures', '--json').stdout) as { name: string; description: string }[];
  t.same(
    all.filter(({ description }) => description === ''),
    [],
  );
  t.equal(all.length, stdout.trimEnd().split('\n').length);
});
