import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { candidates } from '../../src/cli/complete.js';
import { program } from '../../src/cli/program.js';
import { main, mdevfs, mountpoint, plain } from '../mount/command.js';
import { noMounts } from '../mount/mounted.js';
import { noTerminal, Terminal } from '../mount/terminal.js';

const UUID = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1001';
const GPU = '0000:3b:00.0';
const CTRL_A = '\x01';
const INSERT_ALL = '\x1b*';

/** What is offered for the last word of a line. */
const offered = async (...words: string[]): Promise<string[]> =>
  (await candidates(program, words)).map(({ text }) => text);

/** Why a test that types to a shell cannot; false when it can. */
function lacking(shell: string): string | false {
  const there = spawnSync('sh', ['-c', `command -v ${shell}`]).status === 0;
  return noMounts() ?? noTerminal() ?? (there ? false : `${shell} is not installed`);
}

function scratch(t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'mdevfs-completion-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

t.test('subcommands, options and the values that options have', async (t) => {
  const cases: [string[], string[]][] = [
    [['mo'], ['mount', 'monitor']],
    [['--v'], ['--version']],
    [['serve'], []],
    [['comp'], ['completion']],
    [['nonsense', ''], []],
    [['mount', '--tr'], ['--transport']],
    [
      ['mount', '--transport', ''],
      ['fuse', 'fuse-native'],
    ],
    [['mount', '--transport=fuse-'], ['--transport=fuse-native']],
    [['mount', '-f', 'sam'], ['samples']],
    [['mount', '--foreground', '--fo'], []],
    [['mount', '--', '--'], []],
    [['run', '--host', 'nvidia-t4'], ['nvidia-t4']],
    [['run', '--r'], ['--root']],
    [['run', 'ls', '--r'], []],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [['completion', 'bash', ''], ['--help']],
    [
      ['fixtures', ''],
      ['--json', '--help'],
    ],
    [['attach', UUID, '--memory', '6'], ['64M']],
    [
      ['fault', '/nowhere', ''],
      ['add', 'list', 'clear'],
    ],
    [['fault', '/nowhere', 'clear', ''], []],
    [['fault', '/nowhere', 'list', ''], []],
    [['unplug', '/nowhere', ''], []],
  ];
  for (const [words, texts] of cases) t.strictSame(await offered(...words), texts, words.join(' '));
  for (const command of program.commands) {
    const hidden = ['serve-run', 'complete'].includes(command.name());
    t.equal((await offered('')).includes(command.name()), !hidden, command.name());
  }
});

t.test('keys of a rule that it does not have yet, and their values', async (t) => {
  const rule = (...words: string[]) => offered('fault', '/nowhere', 'add', ...words);
  t.strictSame(await rule('p'), ['path=', 'parent=', 'probability=']);
  t.strictSame(await rule('path=x', 'p'), ['parent=', 'probability=']);
  t.strictSame(await rule('op=re'), ['op=read', 'op=remove']);
  t.strictSame(await rule('op=read,re'), ['op=read,remove']);
  t.strictSame(await rule('errno=EBU'), ['errno=EBUSY']);
  t.strictSame(await rule('request=VFIO_DEVICE_R'), ['request=VFIO_DEVICE_RESET']);
  t.strictSame(await rule('times='), []);
  t.strictSame(await rule('device='), []);
});

t.test('files by their kind, directories with a slash', async (t) => {
  const dir = scratch(t);
  mkdirSync(join(dir, 'sub'));
  for (const name of ['host.json', 'notes.txt', '.hidden.json']) writeFileSync(join(dir, name), '');
  const below = (...names: string[]) => names.map((name) => join(dir, name));
  t.strictSame(await offered('mount', `${dir}/`), [`${dir}/sub/`]);
  t.strictSame(await offered('mount', '-f', `${dir}/`), [...below('host.json'), `${dir}/sub/`]);
  t.strictSame(await offered('plug', '/nowhere', `${dir}/h`), below('host.json'));
  t.strictSame(await offered('snapshot', '--sysfs', `${dir}/`), [
    ...below('host.json', 'notes.txt'),
    `${dir}/sub/`,
  ]);
  t.strictSame(await offered('mount', `--state=${dir}/n`), [`--state=${dir}/notes.txt`]);
  t.strictSame(await offered('mount', '-f', `${dir}/.`), below('.hidden.json'));
  t.ok((await offered('run', '--', 'mkdi')).includes('mkdir'), 'programs in PATH');
  t.strictSame(await offered('run', '--', 'cat', `${dir}/n`), below('notes.txt'));
  t.strictSame(await offered('enter', '4711', 'cat', `${dir}/n`), below('notes.txt'));
  t.strictSame(await offered('mount', '/nonexistent/'), []);
});

t.test('what a mounted tree has at the moment', { skip: noMounts() ?? false }, async (t) => {
  const dir = mountpoint(t);
  t.equal(mdevfs('mount', dir).status, 0);
  writeFileSync(join(dir, 'class/mdev_bus/mtty/mdev_supported_types/mtty-1/create'), UUID);
  const rule = (...words: string[]) => offered('fault', dir, 'add', ...words);
  t.ok((await offered('tree', '')).includes(dir), 'its directory');
  t.ok((await offered('monitor', '--at', '')).includes(dir));
  t.strictSame(await offered('attach', '--at', dir, '83'), [UUID]);
  const [device] = await candidates(program, ['attach', '--at', dir, '8']);
  t.equal(device?.about, 'mtty-1');
  t.strictSame(await offered('unplug', dir, ''), [GPU, 'mtty']);
  t.strictSame(await offered('plug', dir, 'mt'), []);
  t.equal(mdevfs('unplug', dir, 'mtty').status, 0);
  t.strictSame(await offered('unplug', dir, ''), [GPU]);
  t.strictSame(await offered('plug', dir, 'mt'), ['mtty']);
  t.equal(mdevfs('plug', dir, 'mtty').status, 0);
  t.strictSame(await rule(`device=${GPU}`), [`device=${GPU}`]);
  t.strictSame(await rule('parent='), [`parent=${GPU}`, 'parent=mtty']);
  t.strictSame(await rule('driver=mt'), ['driver=mtty']);
  t.strictSame(await rule('path=class/mdev_b'), ['path=class/mdev_bus/']);
  t.strictSame(await rule('path=/sys/class/mdev_bus/mtty/mdev_s'), [
    'path=/sys/class/mdev_bus/mtty/mdev_supported_types/',
  ]);
  t.strictSame(await rule(`path=${dir}/class/mdev_bus/mtty/uev`), [`path=${dir}/class/mdev_bus/mtty/uevent`]);
  t.strictSame(await rule('path=/s'), ['path=/sys/']);
  t.equal(mdevfs('fault', dir, 'add', 'op=read', 'path=name', 'errno=EIO').status, 0);
  t.strictSame(await candidates(program, ['fault', dir, 'clear', '']), [
    { text: '1', about: 'op=read path=name errno=EIO hits=0' },
  ]);
  t.strictSame(await rule('path=/dev/vfio/v'), ['path=/dev/vfio/vfio']);
});

/** Shells with what starts them and what they do first, with SCRIPT for the script of completion. */
const shells: [string, string, string][] = [
  [
    'bash',
    'bash --norc --noprofile -i',
    "bind 'set enable-bracketed-paste off'; set -o emacs; source SCRIPT",
  ],
  [
    'zsh',
    'zsh -f -i',
    'unset zle_bracketed_paste; bindkey -e; autoload -Uz compinit && compinit -D; source SCRIPT',
  ],
];

/** A shell that completes in a directory: what is typed, and the words that become of it. */
async function shellIn(t: Test, dir: string, [name, command, begin]: (typeof shells)[number]) {
  const terminal = new Terminal(t, command);
  const script = `<(${process.execPath} ${main} completion ${name})`;
  const words = `w() { printf '<%s>' "$@"; printf '\\nEN%s\\n' D; }`;
  const end = '\nEND\r\n';
  await terminal.type(`${words}; cd ${dir}; ${begin.replace('SCRIPT', script)}; w begun\n`, end);
  return async (line: string): Promise<string[]> => {
    const text = await terminal.type(`${line}${CTRL_A}w \n`, end);
    const shown = text.split('\n').findLast((each) => each.startsWith('<mdevfs>')) ?? '';
    return shown.trim().slice(1, -1).split('><').slice(1);
  };
}

/** Lines to type, and the words that become of them; in a tree at DIR, from a directory with files in it. */
const typed: [string, string[]][] = [
  ['mou\t', ['mount']],
  ['mount --transport fuse-\t', ['mount', '--transport', 'fuse-native']],
  ['mount --transport=fuse-\t', ['mount', '--transport=fuse-native']],
  ['mount -f ./ho\t', ['mount', '-f', './host with blanks.json']],
  ['fault DIR ad\top=read,w\terrno=EBU\t', ['fault', 'DIR', 'add', 'op=read,write', 'errno=EBUSY']],
  [
    'fault DIR add pat\tclass/mdev_b\tmtt\tmdev_su\tmtty-1/av\t',
    ['fault', 'DIR', 'add', 'path=class/mdev_bus/mtty/mdev_supported_types/mtty-1/available_instances'],
  ],
  ['fault DIR add dev\t0000:3b:00\t', ['fault', 'DIR', 'add', `device=${GPU}`]],
  ['unplug DIR 0000:3\t', ['unplug', 'DIR', GPU]],
  ['plug DIR nvidia-t\t', ['plug', 'DIR', 'nvidia-t4']],
];

for (const shell of shells)
  t.test(`${shell[0]} completes what is typed`, { skip: lacking(shell[0]) }, async (t) => {
    const [dir, files] = [mountpoint(t), scratch(t)];
    t.equal(mdevfs('mount', dir).status, 0);
    writeFileSync(join(files, 'host with blanks.json'), '');
    const type = await shellIn(t, files, shell);
    for (const [line, words] of typed)
      t.strictSame(
        await type(`mdevfs ${line.replace('DIR', dir)}`),
        words.map((word) => word.replace('DIR', dir)),
        line,
      );
    if (shell[0] !== 'bash') return;
    t.strictSame(await type(`mdevfs mo${INSERT_ALL}`), ['monitor', 'mount'], 'all that there is');
    t.strictSame(await type(`mdevfs fault ${dir} add op=re${INSERT_ALL}`), [
      ...['fault', dir, 'add', 'op=read', 'remove'],
    ]);
  });

t.test('fish completes what is typed', { skip: lacking('fish') }, async (t) => {
  // It makes directories there.
  const [dir, home] = [mountpoint(t), scratch(t)];
  t.equal(mdevfs('mount', dir).status, 0);
  const source = `${process.execPath} ${main} completion fish | source`;
  const lines = (line: string): string[] => {
    const words = ['fish', '--no-config', '-c', `${source}; complete -C 'mdevfs ${line}'`];
    const { stdout, stderr } = spawnSync('env', [...plain, `HOME=${home}`, ...words], {
      encoding: 'utf8',
    });
    t.equal(stderr, '');
    return stdout.split('\n').slice(0, -1);
  };
  t.match(lines('mou'), [/^mount\tshow a machine/]);
  t.strictSame(lines('mount --transport=fuse-'), ['--transport=fuse-native']);
  t.strictSame(lines(`fault ${dir} add op=re`), ['op=read', 'op=remove']);
  t.strictSame(lines(`fault ${dir} add path=class/mdev_bus/`), [
    `path=class/mdev_bus/${GPU}/`,
    'path=class/mdev_bus/mtty/',
  ]);
  t.strictSame(lines(`unplug ${dir} 0000:`), [`${GPU}\tplugged`]);
});
