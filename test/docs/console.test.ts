/**
 * Pages with consoles: what they show is what happens.
 */

import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { lacking } from '../clients/client.js';
import { noMounts, noNamespaces } from '../mount/mounted.js';
import { commandsOf, fits, PageError, runPage, runText } from './console.js';

const skip = noMounts() ?? noNamespaces() ?? false;

t.test('commands are found with their lines, and what they print', async (t) => {
  const page = [
    '# A page',
    '```console',
    '# cd /tmp/sys',
    '# ls',
    'a',
    '',
    'b',
    '```',
    '<!-- console: not run, it takes a day -->',
    '```console',
    '$ sleep 86400',
    '```',
    '```sh',
    '# no console',
    '```',
    '```console',
    '$ true',
    '```',
    '',
  ].join('\n');
  t.strictSame(commandsOf(page), [
    { line: 3, text: 'cd /tmp/sys', prints: '' },
    { line: 4, text: 'ls', prints: 'a\n\nb\n' },
    { line: 17, text: 'true', prints: '' },
  ]);
  t.throws(() => commandsOf('```console\nout\n```\n'), new PageError('2: expected a command, got "out"'));
  t.throws(
    () => commandsOf('<!-- console: not run -->\n```console\n# ls\n```\n'),
    new PageError('3: expected "not run, REASON", got "not run"'),
  );
  for (const fence of [' ```console', '```console root', '````console'])
    t.throws(() => commandsOf(`${fence}\n# ls\n\`\`\`\n`), /indented, not closed/);
});

t.test('only what is marked may differ', async (t) => {
  const cases: [string, string, boolean][] = [
    ['', '', true],
    ['', 'a\n', false],
    ['a\n', '', false],
    ['a\n', 'a', false],
    ['a.c\n', 'abc\n', false],
    ['pid …, log …\n', 'pid 7, log x y\n', true],
    ['pid …\n', 'pid 7\npid 8\n', false],
    ['[...]\nb\n', 'b\n', true],
    ['[...]\nb\n', 'a\na\nb\n', true],
    ['a\n[...]\n', 'b\n', false],
  ];
  for (const [prints, text, is] of cases) t.equal(fits(prints, text), is, JSON.stringify([prints, text]));
});

t.test('nothing of a session outlives it', { skip }, async (t) => {
  const lines = [
    '# cd /tmp/sys',
    '# sleep 1000 < class/mdev_bus/mtty/uevent & true',
    '# setsid sleep 1000 & true',
  ];
  const dir = await runText(t, 'page', `\`\`\`console\n${lines.join('\n')}\n\`\`\`\n`);
  const left = readdirSync('/proc').filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(dir);
    } catch {
      return false;
    }
  });
  t.strictSame(left, []);
  t.notMatch(readFileSync('/proc/mounts', 'utf8'), dir);
});

for (const file of ['docs/faults.md', 'docs/hotplug.md'])
  t.test(`${file} shows what happens`, { skip }, (t) => runPage(t, file));

for (const file of ['docs/fixtures.md', 'docs/snapshot.md', 'docs/state.md'])
  t.test(`${file} shows what happens`, { skip }, (t) => runPage(t, file, { fixture: false }));

t.test('README.md shows what happens', { skip: skip || lacking('mdevctl', 'unshare', 'find') }, (t) =>
  runPage(t, 'README.md', { fixture: false }),
);
