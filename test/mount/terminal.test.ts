import t from 'tap';
import { main, run } from './command.js';
import { noMounts, noNamespaces } from './mounted.js';
import { noTerminal, Terminal } from './terminal.js';

const skip = noMounts() ?? noNamespaces() ?? noTerminal() ?? false;

const CTRL_C = '\x03';
const CTRL_Z = '\x1a';
const PROMPT = '(mdevfs) ';

const mdevfsRun = `${process.execPath} ${main} run`;

t.test('a shell at /sys has a prompt that says so, and jobs', { skip }, async (t) => {
  const terminal = new Terminal(t, mdevfsRun);
  await terminal.shows(PROMPT);
  t.match(await terminal.type('ls /sys/class/mdev_bus\n', PROMPT), 'mtty');
  // What says that it began is what the keys are for, not the shell before it starts that.
  await terminal.type("sh -c 'echo begin$((1)); exec sleep 1000'\n", 'begin1');
  t.match(await terminal.type(CTRL_C, PROMPT), '^C', 'Ctrl-C ends the command, not the shell');
  t.match(await terminal.type('echo status $?\n', 'status 1'), 'status 130');
  await terminal.type("sh -c 'echo begin$((2)); exec sleep 1000'\n", 'begin2');
  await terminal.type(CTRL_Z, PROMPT);
  t.match(await terminal.type('jobs\n', 'sleep 1000'), 'Stopped');
  await terminal.type('kill -9 %1; wait; echo over$((1))\n', 'over1');
  await terminal.type('exit 7\n', 'exit');
  t.same(await terminal.ended, [7, null], 'its exit status is that of run');
});

t.test('run is a job of the shell it is typed in', { skip }, async (t) => {
  const terminal = new Terminal(t, "env PS1='outside> ' bash --norc -i");
  await terminal.shows('outside> ');
  const script = `'echo begin; while :; do sleep 0.1; done'`;
  await terminal.type(`${mdevfsRun} -- sh -c ${script}\n`, '\nbegin');
  t.match(await terminal.type(CTRL_Z, 'outside> '), 'Stopped', 'Ctrl-Z stops all of it');
  await terminal.type('fg\n', 'run --');
  await terminal.type(CTRL_C, 'outside> ');
  t.match(await terminal.type('echo status $?\n', 'status 1'), 'status 130', 'Ctrl-C ends all of it');
  await terminal.type('exit 0\n', 'exit');
  t.same(await terminal.ended, [0, null]);
});

t.test('what takes long says so, and how far it is', { skip }, async (t) => {
  const module = new URL('../../src/cli/progress.js', import.meta.url).href;
  const slow = `import('${module}').then(({ withProgress }) =>
    withProgress('working', new Promise((resolve) => setTimeout(resolve, 1500)), () => '3 files')).then(() => console.log('over'))`;
  const terminal = new Terminal(t, `${process.execPath} -e "${slow}"`);
  t.match(await terminal.shows('over'), /working \.\.\. 1 s, 3 files/);
  t.equal(run(process.execPath, ['-e', slow]).stderr, '', 'not where nobody watches');
});
